// The globals that a pickle may name, and what each stands for. There is no way from here to code:
// a name is either in this table, or a class of the Python program (kept as an inert description),
// or refused.
#pragma once

#include <cstdint>
#include <string_view>

namespace sda {

// The first two are in order: the lower, the worse.
enum class Known : std::uint8_t {
  kForeign,       // in no table: refused, or inert where the caller asked for that
  kProgramClass,  // of small_dataset_audio.*: inert
  kDict,
  kList,
  kTuple,
  kSet,
  kFrozenSet,
  kInt,
  kFloat,
  kStr,
  kBool,
  kBytes,
  kByteArray,
  kComplex,
  kOrderedDict,
  kDefaultDict,
  kCounter,
  kDeque,
  kCodecsEncode,
  kTorchStorage,
  kTorchUntypedStorage,
  kTorchDType,
  kTorchSize,
  kTorchDevice,
  kTorchVersion,
  kTorchTensorClass,
  kTorchParameterClass,
  kRebuildTensorV1,
  kRebuildTensorV2,
  kRebuildTensorV3,
  kRebuildParameter,
  kRebuildParameterWithState,
  kRebuildFromType,
  kNumpyReconstruct,
  kNumpyFromBuffer,
  kNumpyScalar,
  kNumpyNdArray,
  kNumpyDType,
};

struct GlobalFacts {
  Known known = Known::kForeign;
  std::uint8_t dtype = 0;  // DType of kTorchStorage and kTorchDType
};

// Whether "module.name" is the one global of the Python program that its own files name: an Enum,
// so all that Python does with it is to look up a member.
bool is_program_enum(std::string_view full_name) noexcept;

GlobalFacts look_up_global(std::string_view module, std::string_view name) noexcept;

}  // namespace sda
