#include "checkpoint/pickle/globals.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "checkpoint/tensor/dtype.h"

namespace sda {
namespace {

struct Entry {
  std::string_view name;  // "module name"
  Known known;
  DType dtype = DType::kBool;
};

// Protocol 2 uses Python 2's names, in which builtins is __builtin__. The torch storages and most
// torch dtypes are not listed here: look_up_global() finds them in the table of dtypes.
constexpr Entry kEntries[] = {
    {"builtins dict", Known::kDict},
    {"builtins list", Known::kList},
    {"builtins tuple", Known::kTuple},
    {"builtins set", Known::kSet},
    {"builtins frozenset", Known::kFrozenSet},
    {"builtins int", Known::kInt},
    {"builtins float", Known::kFloat},
    {"builtins str", Known::kStr},
    {"builtins bool", Known::kBool},
    {"builtins bytes", Known::kBytes},
    {"builtins bytearray", Known::kByteArray},
    {"builtins complex", Known::kComplex},
    {"__builtin__ dict", Known::kDict},
    {"__builtin__ list", Known::kList},
    {"__builtin__ tuple", Known::kTuple},
    {"__builtin__ set", Known::kSet},
    {"__builtin__ frozenset", Known::kFrozenSet},
    {"__builtin__ int", Known::kInt},
    {"__builtin__ long", Known::kInt},
    {"__builtin__ float", Known::kFloat},
    {"__builtin__ unicode", Known::kStr},
    {"__builtin__ bool", Known::kBool},
    {"__builtin__ bytes", Known::kBytes},
    {"__builtin__ bytearray", Known::kByteArray},
    {"__builtin__ complex", Known::kComplex},
    {"collections OrderedDict", Known::kOrderedDict},
    {"collections defaultdict", Known::kDefaultDict},
    {"collections Counter", Known::kCounter},
    {"collections deque", Known::kDeque},
    {"_codecs encode", Known::kCodecsEncode},
    {"torch UntypedStorage", Known::kTorchUntypedStorage},
    {"torch.storage UntypedStorage", Known::kTorchUntypedStorage},
    {"torch half", Known::kTorchDType, DType::kFloat16},
    {"torch float", Known::kTorchDType, DType::kFloat32},
    {"torch double", Known::kTorchDType, DType::kFloat64},
    {"torch short", Known::kTorchDType, DType::kInt16},
    {"torch int", Known::kTorchDType, DType::kInt32},
    {"torch long", Known::kTorchDType, DType::kInt64},
    {"torch cfloat", Known::kTorchDType, DType::kComplex64},
    {"torch cdouble", Known::kTorchDType, DType::kComplex128},
    {"torch Size", Known::kTorchSize},
    {"torch device", Known::kTorchDevice},
    {"torch.torch_version TorchVersion", Known::kTorchVersion},
    {"torch Tensor", Known::kTorchTensorClass},
    {"torch._tensor Tensor", Known::kTorchTensorClass},
    {"torch.nn.parameter Parameter", Known::kTorchParameterClass},
    {"torch.nn.parameter Buffer", Known::kTorchTensorClass},
    {"torch._utils _rebuild_tensor", Known::kRebuildTensorV1},
    {"torch._utils _rebuild_tensor_v2", Known::kRebuildTensorV2},
    {"torch._utils _rebuild_tensor_v3", Known::kRebuildTensorV3},
    {"torch._utils _rebuild_parameter", Known::kRebuildParameter},
    {"torch._utils _rebuild_parameter_with_state", Known::kRebuildParameterWithState},
    {"torch._tensor _rebuild_from_type_v2", Known::kRebuildFromType},
    {"numpy ndarray", Known::kNumpyNdArray},
    {"numpy dtype", Known::kNumpyDType},
    {"numpy.core.multiarray _reconstruct", Known::kNumpyReconstruct},
    {"numpy._core.multiarray _reconstruct", Known::kNumpyReconstruct},
    {"numpy.core.multiarray scalar", Known::kNumpyScalar},
    {"numpy._core.multiarray scalar", Known::kNumpyScalar},
    {"numpy.core.numeric _frombuffer", Known::kNumpyFromBuffer},
    {"numpy._core.numeric _frombuffer", Known::kNumpyFromBuffer},
};

const std::unordered_map<std::string_view, const Entry*>& table() {
  static const auto* map = [] {
    auto* made = new std::unordered_map<std::string_view, const Entry*>();
    for (const Entry& entry : kEntries) made->emplace(entry.name, &entry);
    return made;
  }();
  return *map;
}

bool is_program_module(std::string_view module) noexcept {
  constexpr std::string_view kProgram = "small_dataset_audio";
  return module.substr(0, kProgram.size()) == kProgram &&
         (module.size() == kProgram.size() || module[kProgram.size()] == '.');
}

}  // namespace

bool is_program_enum(std::string_view full_name) noexcept {
  return full_name == "small_dataset_audio.training.config.OverfittingPreset";
}

GlobalFacts look_up_global(std::string_view module, std::string_view name) noexcept {
  constexpr std::size_t kLongest = 96;
  if (module.size() + name.size() < kLongest) {
    std::array<char, kLongest> key;
    char* end = std::copy(module.begin(), module.end(), key.data());
    *end++ = ' ';
    end = std::copy(name.begin(), name.end(), end);
    const auto found =
        table().find(std::string_view(key.data(), static_cast<std::size_t>(end - key.data())));
    if (found != table().end())
      return {found->second->known, static_cast<std::uint8_t>(found->second->dtype)};
    if (module == "torch") {
      if (const auto dtype = dtype_from_name(name))
        return {Known::kTorchDType, static_cast<std::uint8_t>(*dtype)};
      if (const auto dtype = dtype_from_storage_class(name))
        return {Known::kTorchStorage, static_cast<std::uint8_t>(*dtype)};
    }
  }
  // A dotted name is a path through attributes ("config.os.system"). No class of the program needs
  // one, and Python would follow it when it reads a file that this library wrote.
  if (is_program_module(module) && name.find('.') == std::string_view::npos)
    return {Known::kProgramClass, 0};
  return {};
}

}  // namespace sda
