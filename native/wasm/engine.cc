// The functions that native/wasm/face.ts calls. Each takes numbers and addresses, and answers with
// JSON text that stays valid until the next call. Failures are {"error": …}, see json.h.
//
// Long work is a job. JavaScript polls it, and calls sda_take_turn() in between: without threads,
// that call does the work.
#include <emscripten.h>

#include <algorithm>
#include <array>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/memory_size.h"
#include "engine/float_tensor.h"
#include "engine/generation/generation.h"
#include "engine/generation/generation_limits.h"
#include "engine/sound/resample.h"
#include "engine/threads/scheduler.h"
#include "wasm/json.h"

namespace sda::wasm {
namespace {

using engine::FloatTensor;
using namespace std::string_view_literals;

// An open file, and the model that sda_create_model() makes of it.
struct Model {
  std::shared_ptr<const Document> document;
  engine::Instrument instrument;
};
// What JavaScript holds. Jobs share the model, so that it may be closed while they run.
using ModelHandle = std::shared_ptr<Model>;

constexpr std::string_view kStateDict = "model_state_dict";
// Not shown: the weights, and the settings of the training, which a sound does not need.
constexpr std::array kHidden = {kStateDict, "training_config"sv};

template <typename Work>
const char* answer(const Work& work) {
  static std::string text;
  try {
    text = work();
  } catch (...) {
    text = error_json(std::current_exception());
  }
  return text.c_str();
}

Json& write(Json& json, const FloatTensor& tensor) {
  json.raw(R"({"shape":)").integers(tensor.shape);
  return json.raw(R"(,"at":)").integer(reinterpret_cast<std::intptr_t>(tensor.data.get())).raw("}");
}

FloatTensor tensor_of(std::vector<float> samples) {
  const auto owner = std::make_shared<std::vector<float>>(std::move(samples));
  return {{static_cast<std::int64_t>(owner->size())}, {owner, owner->data()}};
}

FloatTensor argument(const float* data, const double* shape, int dimensions) {
  std::vector<std::int64_t> sizes;
  for (int d = 0; d < dimensions; ++d) sizes.push_back(static_cast<std::int64_t>(shape[d]));
  FloatTensor copy = engine::make_tensor(std::move(sizes));
  std::copy_n(data, copy.numel(), copy.data.get());
  return copy;
}

// What a job gives: the text of one answer, and the tensors that it names.
struct Event {
  std::string text;
  std::vector<FloatTensor> tensors;
};

Event tensors_event(std::string_view name, std::vector<FloatTensor> tensors,
                    std::string_view more = {}) {
  Json json;
  json.raw("{").string(name).raw(":[");
  for (std::size_t i = 0; i < tensors.size(); ++i) write(json.raw(i == 0 ? "" : ","), tensors[i]);
  json.raw("]").raw(more).raw("}");
  return {json.take(), std::move(tensors)};
}

class Job : public std::enable_shared_from_this<Job> {
 public:
  const std::shared_ptr<CancelToken> cancel = std::make_shared<CancelToken>();
  std::shared_ptr<engine::GenerationRequest> stream;

  void post(Event event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  void fail(const std::exception_ptr& failure) { post({error_json(failure), {}}); }

  // The next answer; "null" while there is none. Its tensors live until the next call.
  std::string poll() {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return "null";
    shown_ = std::move(events_.front());
    events_.pop_front();
    if (stream) stream->piece_taken();
    return shown_.text;
  }

 private:
  std::mutex mutex_;  // guards events_
  std::deque<Event> events_;
  Event shown_;
};
using JobHandle = std::shared_ptr<Job>;

std::string started(const JobHandle& job) {
  auto handle = std::make_unique<JobHandle>(job);
  Json json;
  json.raw(R"({"job":)").integer(reinterpret_cast<std::intptr_t>(handle.get())).raw("}");
  static_cast<void>(handle.release());  // until sda_end()
  return json.take();
}

// A job of one task.
class Single final : public engine::Request {
 public:
  using Work = std::function<std::vector<FloatTensor>(const CancelToken&)>;
  Single(JobHandle job, Work work)
      : Request(job->cancel), job_(std::move(job)), work_(std::move(work)) {}

 protected:
  Next next(engine::Task& task) override {
    if (std::exchange(begun_, true)) return Next::kEnd;
    task = [this] { result_ = work_(cancel()); };
    return Next::kTask;
  }
  void ended(std::exception_ptr failure) noexcept override {
    failure ? job_->fail(failure) : job_->post(tensors_event("tensors", std::move(result_)));
  }

 private:
  const JobHandle job_;
  const Work work_;
  std::vector<FloatTensor> result_;
  bool begun_ = false;
};

const char* run(Single::Work work) {
  return answer([&] {
    const auto job = std::make_shared<Job>();
    engine::Scheduler::shared().start(std::make_shared<Single>(job, std::move(work)));
    return started(job);
  });
}

// The order of `optionNumbers` in face.ts. Names are indices in the tables of limits.
engine::GenerateOptions options_of(const double* numbers, const float* latent, int count) {
  const auto whole = [&](int i) { return static_cast<std::int64_t>(numbers[i]); };
  const auto choice = [&](const auto& choices, int i) {
    return choices.at(static_cast<std::size_t>(whole(i))).second;
  };
  engine::GenerateOptions options;
  options.duration_s = numbers[0];
  options.seed = static_cast<std::uint64_t>(numbers[1]);
  options.concat_mode = choice(engine::limits::kConcatModes, 2);
  options.steps_between = whole(3);
  options.overlap_samples = whole(4);
  options.joint = choice(engine::limits::kJoints, 5);
  options.loudness = choice(engine::limits::kLoudnesses, 6);
  options.spatial_mode = choice(engine::limits::kSpatialModes, 7);
  options.width = numbers[8];
  options.depth = numbers[9];
  options.sample_rate = whole(10);
  options.evolution = numbers[11];
  if (count > 0) options.latent.emplace(latent, latent + count);
  return options;
}

std::string facts_of(const engine::Generation& sound) {
  const engine::Quality& quality = sound.quality;
  Json json;
  json.raw(R"(,"sampleRate":)").integer(sound.sample_rate);
  json.raw(R"(,"quality":{"snrDb":)").number(quality.snr_db);
  json.raw(R"(,"clippedSamples":)").integer(quality.clipped_samples);
  json.raw(R"(,"totalSamples":)").integer(quality.total_samples);
  json.raw(R"(,"peakValue":)").number(quality.peak_value);
  json.raw(R"(,"maxConsecutiveClipped":)").integer(quality.max_consecutive_clipped).raw("}");
  return json.take();
}

std::vector<FloatTensor> tensors_of(std::vector<std::vector<float>> channels) {
  std::vector<FloatTensor> tensors;
  for (std::vector<float>& channel : channels) tensors.push_back(tensor_of(std::move(channel)));
  return tensors;
}

}  // namespace

extern "C" {

// Sets the number of threads, up to those of the pool. → {"threads"}
EMSCRIPTEN_KEEPALIVE const char* sda_configure(double threads) {
  return answer([&] {
    engine::Scheduler& scheduler = engine::Scheduler::shared();
    engine::Scheduler::Settings settings = scheduler.settings();
    settings.threads = static_cast<std::size_t>(std::min<double>(threads, SDA_WASM_THREADS));
    scheduler.configure(settings);
    Json json;
    json.raw(R"({"threads":)");
    return json.integer(static_cast<std::int64_t>(scheduler.settings().threads)).raw("}").take();
  });
}

// Works for a moment. False: nothing to do on this thread; other threads may be working.
EMSCRIPTEN_KEEPALIVE bool sda_take_turn() { return engine::Scheduler::shared().take_turn(); }

// → {"model", "content"}; `name` stands for a path in errors. Copies the bytes.
EMSCRIPTEN_KEEPALIVE const char* sda_open(const char* name, const std::byte* bytes,
                                          std::size_t size) {
  return answer([&] {
    auto model = std::make_unique<ModelHandle>(std::make_shared<Model>());
    (*model)->document = Document::open(File(name, {bytes, size}), {});
    Json json;
    json.raw(R"({"model":)").integer(reinterpret_cast<std::intptr_t>(model.get()));
    json.raw(R"(,"content":)");
    const Value& root = (*model)->document->root();
    const auto* top = root.as<Dict>();
    top != nullptr ? json.dict_without(*top, kHidden) : json.value(root);
    std::string text = json.raw("}").take();
    static_cast<void>(model.release());  // until sda_close()
    return text;
  });
}

// Builds the network: `numbers` are the latent dimension and the spectrogram's settings, with NaN
// for no highest frequency. → {"hasEncoder", "byteLength"}
EMSCRIPTEN_KEEPALIVE const char* sda_create_model(const ModelHandle* model, const double* numbers) {
  return answer([&] {
    const auto whole = [&](int i) { return static_cast<std::int64_t>(numbers[i]); };
    engine::SpectrogramConfig config;
    config.sample_rate = whole(1);
    config.n_fft = whole(2);
    config.hop_length = whole(3);
    config.n_mels = whole(4);
    config.f_min = numbers[5];
    if (numbers[6] == numbers[6]) config.f_max = numbers[6];
    config.power = numbers[7];
    Model& made = **model;
    // The order of `NETWORKS` in face.ts
    constexpr engine::Network kNetworks[] = {engine::Network::kSigmoid, engine::Network::kSoftplus};
    engine::Instrument& instrument = made.instrument;
    instrument.program.synthesis =
        whole(9) == 0 ? engine::Synthesis::kChunks : engine::Synthesis::kOverlapAdd;
    instrument.program.griffin_lim_iterations = static_cast<int>(whole(10));
    instrument.program.resampling =
        whole(11) == 0 ? engine::SincWindow::kHann : engine::SincWindow::kKaiser;
    instrument.model = engine::Model::create(state_dict(made.document, kStateDict),
                                             kNetworks[whole(8) == 0 ? 0 : 1], whole(0), config);
    instrument.spectrogram =
        engine::Spectrogram::create(config, instrument.program.griffin_lim_iterations);
    Json json;
    json.raw(R"({"hasEncoder":)").raw(instrument.model->has_encoder() ? "true" : "false");
    return json.raw(R"(,"byteLength":)").integer(instrument.model->byte_size()).raw("}").take();
  });
}

EMSCRIPTEN_KEEPALIVE void sda_close(ModelHandle* model) { delete model; }

// → {"job"}, which gives {"tensors": [mel]}
EMSCRIPTEN_KEEPALIVE const char* sda_decode(const ModelHandle* model, const float* data,
                                            const double* shape, int dimensions) {
  return run([model = *model, z = argument(data, shape, dimensions)](const CancelToken& cancel) {
    return std::vector{model->instrument.model->decode(z, cancel)};
  });
}

// → {"job"}, which gives {"tensors": [mu, logvar]}
EMSCRIPTEN_KEEPALIVE const char* sda_encode(const ModelHandle* model, const float* data,
                                            const double* shape, int dimensions) {
  return run([model = *model, mel = argument(data, shape, dimensions)](const CancelToken& cancel) {
    const auto [mu, logvar] = model->instrument.model->encode(mel, cancel);
    return std::vector{mu, logvar};
  });
}

// → {"job"}, which gives {"tensors": [waveform]}
EMSCRIPTEN_KEEPALIVE const char* sda_mel_to_waveform(const ModelHandle* model, const float* data,
                                                     const double* shape, int dimensions,
                                                     double seed) {
  return run([model = *model, mel = argument(data, shape, dimensions),
              seed = static_cast<std::uint64_t>(seed)](const CancelToken& cancel) {
    return std::vector{model->instrument.spectrogram->mel_to_waveform(mel, seed, cancel)};
  });
}

// → {"job"}, which gives {"tensors": [waveform]}
EMSCRIPTEN_KEEPALIVE const char* sda_resample(const float* data, const double* shape, double from,
                                              double to) {
  return run([waveform = argument(data, shape, 1), from = static_cast<std::int64_t>(from),
              to = static_cast<std::int64_t>(to)](const CancelToken&) {
    engine::Resampler resampler(from, to);
    std::vector<float> out;
    resampler.push(waveform.data.get(), memory_size(waveform.numel()), out);
    resampler.finish(out);
    return std::vector{tensor_of(std::move(out))};
  });
}

// → {"sampleRate", "channels", "frames"}
EMSCRIPTEN_KEEPALIVE const char* sda_audio_format(const ModelHandle* model, const double* numbers,
                                                  const float* latent, int count) {
  return answer([&] {
    const engine::AudioFormat format =
        engine::audio_format((*model)->instrument, options_of(numbers, latent, count));
    Json json;
    json.raw(R"({"sampleRate":)").integer(format.sample_rate);
    json.raw(R"(,"channels":)").integer(format.channels);
    return json.raw(R"(,"frames":)").integer(format.frames).raw("}").take();
  });
}

// → {"job"}, which gives {"tensors": [channel…], "sampleRate", "quality"}. A stream gives {"piece":
// [samples]} for each piece before that, and no channels.
EMSCRIPTEN_KEEPALIVE const char* sda_generate(const ModelHandle* handle, const double* numbers,
                                              const float* latent, int count, bool stream) {
  return answer([&] {
    const auto job = std::make_shared<Job>();
    const ModelHandle& model = *handle;
    engine::GenerationEvents events;
    if (stream) {
      events.piece = [job](std::vector<float> piece) {
        job->post(tensors_event("piece", {tensor_of(std::move(piece))}));
      };
    }
    events.ended = [job](engine::Generation sound, const std::exception_ptr& failure) {
      if (failure) return job->fail(failure);
      const std::string facts = facts_of(sound);
      job->post(tensors_event("tensors", tensors_of(std::move(sound.audio)), facts));
    };
    auto request = engine::make_generation(model->instrument, options_of(numbers, latent, count),
                                           job->cancel, events, model);
    engine::Scheduler::shared().start(request);
    if (stream) job->stream = std::move(request);
    return started(job);
  });
}

EMSCRIPTEN_KEEPALIVE const char* sda_poll(const JobHandle* job) {
  return answer([&] { return (*job)->poll(); });
}

// Stops the job, if it still runs, and frees what it gave last.
EMSCRIPTEN_KEEPALIVE void sda_end(JobHandle* job) {
  (*job)->cancel->cancel();
  (*job)->stream = nullptr;
  delete job;
}

}  // extern "C"

}  // namespace sda::wasm
