#include "addon/marshal/model_options.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "addon/marshal/arguments.h"
#include "checkpoint/error.h"

namespace sda::addon {
namespace {

template <typename T>
using Names = std::initializer_list<std::pair<std::string_view, T>>;

template <typename T>
T choice(const Napi::Object& options, const char* name, const Names<T>& names) {
  const std::string text = string_argument(options.Get(name), name);
  for (const auto& [label, value] : names)
    if (label == text) return value;
  throw Error(ErrorCode::kArgument, std::string("unknown ") + name + " '" + text + "'")
      .with("option", std::string(name));
}

std::int64_t integer(const Napi::Object& object, const char* name) {
  return integer_argument(object.Get(name), name);
}

std::vector<std::int64_t> integers(const Napi::Value& value, const char* name) {
  if (!value.IsArray())
    throw Error(ErrorCode::kArgument, std::string(name) + " must be an array of numbers");
  const auto array = value.As<Napi::Array>();
  std::vector<std::int64_t> numbers;
  for (std::uint32_t i = 0; i < array.Length(); ++i)
    numbers.push_back(integer_argument(array.Get(i), name));
  return numbers;
}

engine::SpectrogramConfig config_of(const Napi::Object& object) {
  engine::SpectrogramConfig config;
  config.sample_rate = integer(object, "sampleRate");
  config.n_fft = integer(object, "nFft");
  config.hop_length = integer(object, "hopLength");
  config.n_mels = integer(object, "nMels");
  config.f_min = number_argument(object.Get("fMin"), "fMin");
  const Napi::Value f_max = object.Get("fMax");
  if (!f_max.IsNull()) config.f_max = number_argument(f_max, "fMax");
  config.power = number_argument(object.Get("power"), "power");
  return config;
}

engine::Program program_of(const Napi::Object& object) {
  engine::Program program;
  program.synthesis = choice<engine::Synthesis>(object, "synthesis",
                                                {{"chunks", engine::Synthesis::kChunks},
                                                 {"overlap-add", engine::Synthesis::kOverlapAdd},
                                                 {"codes", engine::Synthesis::kCodes}});
  program.griffin_lim_iterations = static_cast<int>(integer(object, "griffinLimIterations"));
  program.resampling = choice<engine::SincWindow>(
      object, "resampling",
      {{"hann", engine::SincWindow::kHann}, {"kaiser", engine::SincWindow::kKaiser}});
  return program;
}

engine::ComplexStats stats_of(const Napi::Object& object) {
  const auto number = [&](const char* name) { return number_argument(object.Get(name), name); };
  return {number("magMean"), number("magStd"), number("ifMean"), number("ifStd")};
}

engine::VocoderConfig vocoder_of(const Napi::Object& object) {
  engine::VocoderConfig config;
  config.sample_rate = integer(object, "sampleRate");
  config.hop_length = integer(object, "hopLength");
  config.num_mels = integer(object, "nMels");
  config.upsample_initial_channel = integer(object, "upsampleInitialChannel");
  config.upsample_rates = integers(object.Get("upsampleRates"), "upsampleRates");
  config.upsample_kernel_sizes = integers(object.Get("upsampleKernelSizes"), "upsampleKernelSizes");
  config.resblock_kernel_sizes = integers(object.Get("resblockKernelSizes"), "resblockKernelSizes");
  const Napi::Value dilations = object.Get("resblockDilationSizes");
  if (!dilations.IsArray())
    throw Error(ErrorCode::kArgument, "resblockDilationSizes must be an array");
  const auto lists = dilations.As<Napi::Array>();
  for (std::uint32_t i = 0; i < lists.Length(); ++i)
    config.resblock_dilations.push_back(integers(lists.Get(i), "resblockDilationSizes"));
  return config;
}

engine::BackendChoice backend_of(const Napi::Value& value) {
  const std::string name = string_argument(value, "backend");
  if (name == "auto") return engine::BackendChoice::kAuto;
  if (name == "libtorch") return engine::BackendChoice::kAttached;
  throw Error(ErrorCode::kArgument, "backend must be auto or libtorch").with("option", "backend");
}

}  // namespace

ModelOptions model_options_argument(const Napi::Value& value) {
  const Napi::Object object = object_argument(value, "options");
  const auto child = [&](const char* name) -> std::optional<Napi::Object> {
    const Napi::Value found = object.Get(name);
    if (!found.IsObject()) return std::nullopt;
    return found.As<Napi::Object>();
  };
  ModelOptions options;
  options.config = config_of(object_argument(object.Get("config"), "config"));
  options.program = program_of(object_argument(object.Get("program"), "program"));
  if (const auto codebook = child("codebook")) {
    options.codebook = {integer(*codebook, "codebookDim"), integer(*codebook, "codebookSize"),
                        integer(*codebook, "numQuantizers")};
    if (const auto prior = child("prior"))
      options.prior = {integer(*prior, "hiddenSize"), integer(*prior, "numLayers"),
                       integer(*prior, "numHeads"), integer(*prior, "seqLen"),
                       integer(*prior, "numQuantizers")};
  } else {
    options.network = choice<engine::Network>(object, "network",
                                              {{"sigmoid", engine::Network::kSigmoid},
                                               {"softplus", engine::Network::kSoftplus},
                                               {"complex", engine::Network::kComplex}});
    options.latent_dim = integer(object, "latentDim");
    if (const auto stats = child("complexStats")) options.stats = stats_of(*stats);
    if (const auto vocoder = child("vocoder")) options.vocoder = vocoder_of(*vocoder);
  }
  options.placement = engine::place(string_argument(object.Get("device"), "device"),
                                    backend_of(object.Get("backend")));
  return options;
}

}  // namespace sda::addon
