#include "addon/marshal/arguments.h"

#include "addon/errors.h"
#include "addon/handles.h"
#include "addon/marshal/numbers.h"

namespace sda::addon {

template <>
struct HandleTag<CancelToken> {
  static constexpr napi_type_tag kTag = {0x6b0c5c6d1d2f4f0e, 0x9a64c3a1f5f0b7d2};
};

namespace {

[[noreturn]] void expected(const char* name, const char* type) {
  throw Error(ErrorCode::kArgument, std::string(name) + " must be " + type)
      .with("argument", std::string(name));
}

}  // namespace

std::string string_argument(const Napi::Value& value, const char* name) {
  if (!value.IsString()) expected(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

double number_argument(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) expected(name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

std::int64_t integer_argument(const Napi::Value& value, const char* name) {
  const double number = number_argument(value, name);
  if (!is_safe_integer(number)) expected(name, "a whole number");
  return static_cast<std::int64_t>(number);
}

bool boolean_option(const Napi::Object& options, const char* name, bool otherwise) {
  const Napi::Value value = options.Get(name);
  if (value.IsUndefined()) return otherwise;
  if (!value.IsBoolean()) expected(name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

Napi::Object object_argument(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) expected(name, "an object");
  return value.As<Napi::Object>();
}

std::shared_ptr<CancelToken> cancel_argument(const Napi::Value& value) {
  if (value.IsUndefined()) return nullptr;
  return unwrap_handle<CancelToken>(value);
}

Napi::Value create_cancel_token(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    Napi::Object object = wrap_handle(call.Env(), std::make_shared<CancelToken>());
    object.Set("cancel", Napi::Function::New(call.Env(), [](const Napi::CallbackInfo& cancel) {
                 guarded(cancel, [](const Napi::CallbackInfo& inner) {
                   unwrap_handle<CancelToken>(inner.This())->cancel();
                 });
               }));
    object.Set("done", Napi::Function::New(call.Env(), [](const Napi::CallbackInfo& done) {
                 return guarded(done, [](const Napi::CallbackInfo& inner) -> Napi::Value {
                   return Napi::Number::New(
                       inner.Env(),
                       static_cast<double>(unwrap_handle<CancelToken>(inner.This())->done()));
                 });
               }));
    return object;
  });
}

}  // namespace sda::addon
