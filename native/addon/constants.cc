#include "addon/constants.h"

#include <string>
#include <string_view>
#include <utility>

#include "addon/errors.h"
#include "addon/marshal/marks.h"
#include "addon/marshal/values.h"
#include "checkpoint/limits.h"
#include "library/index_scanner.h"

namespace sda::addon {
namespace {

constexpr const char* kErrorCodes[] = {
#define SDA_ERROR_CODE(name, text) text,
#include "checkpoint/error_codes.def"
#undef SDA_ERROR_CODE
};

constexpr const char* kPlanCodes[] = {
#define SDA_PLAN_CODE(name) #name,
#include "addon/marshal/plan_codes.def"
#undef SDA_PLAN_CODE
};

constexpr const char* kProgramOps[] = {
#define SDA_PROGRAM_OP(name) #name,
#include "addon/marshal/program_ops.def"
#undef SDA_PROGRAM_OP
};

template <std::size_t kCount>
Napi::Array names(Napi::Env env, const char* const (&list)[kCount]) {
  Napi::Array array = Napi::Array::New(env, kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) array.Set(i, list[i]);
  return array;
}

Napi::Object numbers(Napi::Env env,
                     std::initializer_list<std::pair<const char*, double>> properties) {
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [name, number] : properties) object.Set(name, number);
  return object;
}

const char* array_name(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return "Int8Array";
    case napi_int16_array:
      return "Int16Array";
    case napi_uint16_array:
      return "Uint16Array";
    case napi_int32_array:
      return "Int32Array";
    case napi_uint32_array:
      return "Uint32Array";
    case napi_float32_array:
      return "Float32Array";
    case napi_float64_array:
      return "Float64Array";
    case napi_bigint64_array:
      return "BigInt64Array";
    case napi_biguint64_array:
      return "BigUint64Array";
    default:
      return "Uint8Array";
  }
}

Napi::Array dtypes(Napi::Env env) {
  Napi::Array list = Napi::Array::New(env, kDTypeCount);
  for (std::uint32_t i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const ArrayLayout layout = array_layout(dtype);
    Napi::Object facts = Napi::Object::New(env);
    facts.Set("name", std::string(dtype_name(dtype)));
    facts.Set("array", array_name(layout.type));
    facts.Set("perElement", static_cast<double>(item_size(dtype) / layout.bytes));
    facts.Set("numpy", !numpy_code(dtype).empty());
    list.Set(i, facts);
  }
  return list;
}

}  // namespace

Napi::Value constants(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const Napi::Env env = call.Env();
    Napi::Object all = Napi::Object::New(env);
    all.Set("errorCodes", names(env, kErrorCodes));
    all.Set("abortedCode", std::string(kAbortedCode));
    all.Set("partMissingCode", std::string(kPartMissingCode));
    all.Set("planCodes", names(env, kPlanCodes));
    all.Set("programOps", names(env, kProgramOps));
    all.Set("dtypes", dtypes(env));
    all.Set("marks", numbers(env, {{"frozenSet", kMarkFrozenSet},
                                   {"byteArray", kMarkByteArray},
                                   {"requiresGrad", kMarkRequiresGrad},
                                   {"parameter", kMarkParameter},
                                   {"storage", kMarkStorage},
                                   {"untyped", kMarkUntyped},
                                   {"size", kMarkSize},
                                   {"elsewhere", kMarkElsewhere},
                                   {"hooked", kMarkHooked},
                                   {"bigEndian", kMarkBigEndian},
                                   {"conjugate", kMarkConjugate}}));
    all.Set("slots", numbers(env, {{"float", kSlotFloat},
                                   {"numpyScalar", kSlotScalar},
                                   {"version", kSlotVersion},
                                   {"kinds", kSlotKinds}}));
    all.Set("indexLayout", numbers(env, {{"entryStart", library::kEntryStart},
                                         {"keyEnd", library::kKeyEnd},
                                         {"valueEnds", library::kValueEnds},
                                         {"entryEnd", library::kEntryEnd},
                                         {"flags", library::kFlags},
                                         {"stride", library::kStride},
                                         {"odd", library::kOdd},
                                         {"notFinite", library::kNotFinite}}));
    all.Set("limits",
            numbers(env, {{"depth", limits::kMaxDepth}, {"dimensions", limits::kMaxDimensions}}));
    return all;
  });
}

}  // namespace sda::addon
