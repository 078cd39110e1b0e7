#include "addon/errors.h"

#include <exception>
#include <new>
#include <string>

#include "checkpoint/io/file.h"

namespace sda::addon {
namespace {

Napi::Error make(Napi::Env env, std::string_view code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", std::string(code));
  return error;
}

}  // namespace

Napi::Value current_error(Napi::Env env) {
  try {
    throw;
  } catch (const Error& error) {
    Napi::Error made = make(env, code_name(error.code()), error.message());
    Napi::Object details = Napi::Object::New(env);
    for (const auto& [key, value] : error.details()) {
      if (const auto* text = std::get_if<std::string>(&value))
        details.Set(key, *text);
      else if (const auto* integer = std::get_if<std::int64_t>(&value))
        details.Set(key, static_cast<double>(*integer));
      else
        details.Set(key, std::get<double>(value));
    }
    made.Set("details", details);
    return made.Value();
  } catch (const Cancelled&) {
    return make(env, kAbortedCode, "the operation was aborted").Value();
  } catch (const PartMissing& missing) {
    Napi::Error made = make(env, kPartMissingCode, "bytes of the file are missing");
    Napi::Object details = Napi::Object::New(env);
    details.Set("offset", static_cast<double>(missing.offset));
    details.Set("size", static_cast<double>(missing.size));
    made.Set("details", details);
    return made.Value();
  } catch (const Napi::Error& error) {
    return error.Value();
  } catch (const std::bad_alloc&) {
    return make(env, code_name(ErrorCode::kLimit), "not enough memory").Value();
  } catch (const std::exception& error) {
    return make(env, code_name(ErrorCode::kNative), error.what()).Value();
  } catch (...) {
    return make(env, code_name(ErrorCode::kNative), "an unknown native failure").Value();
  }
}

}  // namespace sda::addon
