// The globals that a pickle may name, and the meaning of each. None of them leads to code: a name
// is in the table, or it is a class of the Python program, which becomes an inert description, or
// it is refused.
#pragma once

#include <cstdint>
#include <string_view>

namespace sda {

// Ordered by danger: kForeign first, then kProgramClass, then all others alike.
enum class Known : std::uint8_t {
  kForeign,       // in no table: refused, or inert on request
  kProgramClass,  // a class of the program (small_dataset_audio.*, distill.*): inert
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
  kRebuildDeviceTensor,
  kDescribedCall,  // of torch or numpy: a call becomes an inert description
  kTorchName,      // of torch: named, never called
  kTorchSame,      // of torch: returns its first argument
  kScriptClass,    // of a TorchScript program: inert
  kNestedFile,     // reads a file of torch.save from bytes; only in a plain pickle
  kJoblibArray,    // its elements follow in the file; only in a plain pickle
  kNumpyReconstruct,
  kNumpyFromBuffer,
  kNumpyScalar,
  kNumpyNdArray,
  kNumpySubclass,  // of ndarray
  kNumpyDType,
};

struct GlobalFacts {
  Known known = Known::kForeign;
  std::uint8_t dtype = 0;  // the DType of a kTorchStorage or kTorchDType
};

// Whether torch._tensor._rebuild_from_type_v2 of these only makes what a description can stand for:
// a jagged or distributed tensor, or a sparse or quantized one with attributes.
inline bool is_described_type(Known rebuild, Known cls) noexcept {
  return rebuild == Known::kDescribedCall &&
         (cls == Known::kDescribedCall || cls == Known::kTorchTensorClass ||
          cls == Known::kTorchParameterClass);
}

// Whether "module.name" is the one class of the Python program that its own files name. It is an
// Enum, so Python only looks up a member.
bool is_program_enum(std::string_view full_name) noexcept;

GlobalFacts look_up_global(std::string_view module, std::string_view name) noexcept;

// The further globals of a plain pickle and of a TorchScript program, where they are data.
GlobalFacts look_up_plain_global(std::string_view module, std::string_view name) noexcept;
GlobalFacts look_up_script_global(std::string_view module, std::string_view name) noexcept;

}  // namespace sda
