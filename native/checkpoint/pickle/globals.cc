#include "checkpoint/pickle/globals.h"

#include <algorithm>
#include <array>
#include <iterator>
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
    {"torch._utils _rebuild_device_tensor_from_cpu_tensor", Known::kRebuildDeviceTensor},
    {"torch._utils _rebuild_device_tensor_from_numpy", Known::kDescribedCall},
    {"torch._utils _rebuild_sparse_tensor", Known::kDescribedCall},
    {"torch._utils _rebuild_nested_tensor", Known::kDescribedCall},
    {"torch._utils _rebuild_qtensor", Known::kDescribedCall},
    {"torch.nested._internal.nested_tensor _rebuild_njt", Known::kDescribedCall},
    {"torch.nested._internal.nested_tensor NestedTensor", Known::kDescribedCall},
    {"torch._dynamo.decorators _DimRange", Known::kDescribedCall},
    {"torch._utils _rebuild_meta_tensor_no_storage", Known::kDescribedCall},
    {"torch._utils _rebuild_wrapper_subclass", Known::kDescribedCall},
    {"torch.serialization _get_layout", Known::kDescribedCall},
    {"torch.distributed.device_mesh DeviceMesh", Known::kDescribedCall},
    {"torch.distributed.tensor DTensor", Known::kDescribedCall},
    {"torch.distributed.tensor._api DTensor", Known::kDescribedCall},
    {"torch.distributed.tensor._dtensor_spec DTensorSpec", Known::kDescribedCall},
    {"torch.distributed.tensor._dtensor_spec TensorMeta", Known::kDescribedCall},
    {"torch.distributed.tensor.placement_types Partial", Known::kDescribedCall},
    {"torch.distributed.tensor.placement_types Replicate", Known::kDescribedCall},
    {"torch.distributed.tensor.placement_types Shard", Known::kDescribedCall},
    {"torch.distributed.tensor.placement_types _StridedShard", Known::kDescribedCall},
    {"torch.distributed.tensor._ops._embedding_ops _MaskPartial", Known::kDescribedCall},
    {"torch.jit._pickle build_intlist", Known::kTorchSame},
    {"torch.jit._pickle build_doublelist", Known::kTorchSame},
    {"torch.jit._pickle build_boollist", Known::kTorchSame},
    {"torch.jit._pickle build_tensorlist", Known::kTorchSame},
    {"torch.jit._pickle restore_type_tag", Known::kTorchSame},
    {"torch per_tensor_affine", Known::kTorchName},
    {"torch per_tensor_symmetric", Known::kTorchName},
    {"torch per_channel_affine", Known::kTorchName},
    {"torch per_channel_symmetric", Known::kTorchName},
    {"torch per_channel_affine_float_qparams", Known::kTorchName},
    {"torch contiguous_format", Known::kTorchName},
    {"torch preserve_format", Known::kTorchName},
    {"torch channels_last", Known::kTorchName},
    {"torch channels_last_3d", Known::kTorchName},
    {"numpy ndarray", Known::kNumpyNdArray},
    {"numpy matrix", Known::kNumpySubclass},
    {"numpy.matrixlib.defmatrix matrix", Known::kNumpySubclass},
    {"numpy memmap", Known::kNumpySubclass},
    {"numpy.core.memmap memmap", Known::kNumpySubclass},
    {"numpy._core.memmap memmap", Known::kNumpySubclass},
    {"numpy recarray", Known::kNumpySubclass},
    {"numpy.rec recarray", Known::kNumpySubclass},
    {"numpy record", Known::kNumpySubclass},
    {"numpy.rec record", Known::kNumpySubclass},
    {"numpy.core.records recarray", Known::kNumpySubclass},
    {"numpy.core.records record", Known::kNumpySubclass},
    {"numpy._core.records recarray", Known::kNumpySubclass},
    {"numpy._core.records record", Known::kNumpySubclass},
    {"numpy void", Known::kNumpySubclass},
    {"numpy.ma MaskedArray", Known::kNumpySubclass},
    {"numpy.ma.core MaskedArray", Known::kNumpySubclass},
    {"numpy.ma _mareconstruct", Known::kDescribedCall},
    {"numpy.ma.core _mareconstruct", Known::kDescribedCall},
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

// The Python package of the program, under its first and its later name.
constexpr std::string_view kPrograms[] = {"small_dataset_audio", "distill"};

// Whether `text` is `head` alone, or `head`, a dot and more.
bool is_or_is_in(std::string_view text, std::string_view head) noexcept {
  return text.starts_with(head) && (text.size() == head.size() || text[head.size()] == '.');
}

// "FloatTensor" in torch, torch.cuda, torch.sparse or torch.cuda.sparse: the names of tensors'
// types before there were dtypes.
bool is_tensor_type(std::string_view module, std::string_view name) noexcept {
  constexpr std::string_view kModules[] = {"torch", "torch.cuda", "torch.sparse",
                                           "torch.cuda.sparse"};
  constexpr std::string_view kSuffix = "Tensor", kStorage = "Storage";
  if (!name.ends_with(kSuffix) ||
      std::find(std::begin(kModules), std::end(kModules), module) == std::end(kModules))
    return false;
  std::string storage(name.substr(0, name.size() - kSuffix.size()));
  storage += kStorage;
  return dtype_from_storage_class(storage).has_value();
}

// "int4" and others, which are dtypes of no storage.
bool is_narrow_dtype(std::string_view name) noexcept {
  if (name.starts_with("u")) name.remove_prefix(1);
  return name.size() == 4 && name.starts_with("int") && name[3] >= '1' && name[3] <= '7';
}

bool is_program_module(std::string_view module) noexcept {
  return std::any_of(std::begin(kPrograms), std::end(kPrograms),
                     [&](std::string_view program) { return is_or_is_in(module, program); });
}

}  // namespace

bool is_program_enum(std::string_view full_name) noexcept {
  constexpr std::string_view kEnum = ".training.config.OverfittingPreset";
  return full_name.ends_with(kEnum) &&
         std::find(std::begin(kPrograms), std::end(kPrograms),
                   full_name.substr(0, full_name.size() - kEnum.size())) != std::end(kPrograms);
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
      if (is_narrow_dtype(name)) return {Known::kTorchName, 0};
    }
    if (is_tensor_type(module, name)) return {Known::kTorchName, 0};
  }
  // A dotted name is a path through attributes ("config.os.system"). No class of the program needs
  // one, and Python would follow it when it reads a file that this library wrote.
  if (is_program_module(module) && name.find('.') == std::string_view::npos)
    return {Known::kProgramClass, 0};
  return {};
}

GlobalFacts look_up_plain_global(std::string_view module, std::string_view name) noexcept {
  if (module == "torch.storage" && name == "_load_from_bytes") return {Known::kNestedFile};
  if (module == "joblib.numpy_pickle" && name == "NumpyArrayWrapper") return {Known::kJoblibArray};
  return look_up_global(module, name);
}

GlobalFacts look_up_script_global(std::string_view module, std::string_view name) noexcept {
  if (is_or_is_in(module, "__torch__")) return {Known::kScriptClass};
  return look_up_global(module, name);
}

}  // namespace sda
