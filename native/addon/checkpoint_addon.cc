// sda_checkpoint.node: the reader and the writer for Node. Needs no LibTorch.
#include <napi.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "addon/constants.h"
#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/library.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/values.h"
#include "addon/save.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/pickle/scan_pickle.h"
#include "os/shared_library.h"

namespace sda::addon {
namespace {

struct ReadOptions {
  OpenOptions open;
  std::optional<std::vector<std::string>> only;
};

ReadOptions read_options(const Napi::Object& options) {
  ReadOptions result;
  const bool verify = boolean_option(options, "verify", true);
  const bool weights = boolean_option(options, "weights", true);
  result.open.hold = !weights ? Hold::kNothing : verify ? Hold::kMemory : Hold::kMapping;
  const Napi::Value policy = options.Get("unknownGlobals");
  result.open.inert_globals =
      !policy.IsUndefined() && string_argument(policy, "unknownGlobals") == "inert";
  const Napi::Value only = options.Get("only");
  if (only.IsArray()) {
    const auto keys = only.As<Napi::Array>();
    result.only.emplace();
    for (std::uint32_t i = 0; i < keys.Length(); ++i)
      result.only->push_back(string_argument(keys.Get(i), "only"));
  }
  return result;
}

Napi::Value content(Napi::Env env, const std::shared_ptr<const Document>& document,
                    const std::string& path, const std::optional<std::vector<std::string>>& only) {
  try {
    if (!only) return ValueConverter(env, document).convert(document->root());
    ValueConverter converter(env, document, ValueConverter::Purpose::kReading);
    return converter.convert_top(document->root(), [&](std::string_view key) {
      return std::find(only->begin(), only->end(), key) != only->end();
    });
  } catch (Error& error) {
    error.with("path", path);
    throw;
  }
}

// read(path, options, cancel?)
Napi::Value read(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    const ReadOptions options = read_options(object_argument(call[1], "options"));
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[2]), [path, options](const CancelToken& cancel) {
          OpenOptions open = options.open;
          open.cancel = &cancel;
          auto document = Document::open(path, open);
          return [document = std::move(document), only = options.only, path](Napi::Env env) {
            return content(env, document, path, only);
          };
        });
  });
}

// readAtOnce(path, options) → the value that read() resolves to, or undefined; see open_at_once().
Napi::Value read_at_once(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    const ReadOptions options = read_options(object_argument(call[1], "options"));
    const auto document = Document::open_at_once(path, options.open);
    if (!document) return call.Env().Undefined();
    return content(call.Env(), document, path, options.only);
  });
}

// lib/native/types.ts documents these names.
const char* global_kind(std::string_view full_name, Known known) {
  if (known == Known::kForeign) return "unknown";
  if (known != Known::kProgramClass) return "known";
  return is_program_enum(full_name) ? "project" : "project-code";
}

// inspect(path, cancel?)
Napi::Value inspect(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[1]), [path](const CancelToken& cancel) {
          OpenOptions open;
          open.hold = Hold::kNothing;
          open.inert_globals = true;
          open.cancel = &cancel;
          const auto document = Document::open(path, open);
          auto tensors = list_tensors(*document);
          return [document, tensors = std::move(tensors)](Napi::Env env) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            result.Set("container", document->container() == Container::kZip ? "zip" : "legacy");
            result.Set("bytes", static_cast<double>(document->file_size()));
            Napi::Array globals = Napi::Array::New(env);
            Napi::Array meanings = Napi::Array::New(env);
            std::uint32_t count = 0;
            for (const auto& [name, known] : document->globals()) {
              globals.Set(count, name);
              meanings.Set(count++, global_kind(name, known));
            }
            result.Set("globals", globals);
            result.Set("globalKinds", meanings);
            Napi::Array list = Napi::Array::New(env, tensors.size());
            for (std::uint32_t i = 0; i < tensors.size(); ++i) {
              Napi::Object entry = Napi::Object::New(env);
              entry.Set("name", tensors[i].name);
              entry.Set("dtype", std::string(dtype_name(tensors[i].dtype)));
              Napi::Array shape = Napi::Array::New(env, tensors[i].shape.size());
              for (std::uint32_t d = 0; d < tensors[i].shape.size(); ++d)
                shape.Set(d, static_cast<double>(tensors[i].shape[d]));
              entry.Set("shape", shape);
              entry.Set("bytes", static_cast<double>(tensors[i].bytes));
              list.Set(i, entry);
            }
            result.Set("tensors", list);
            return result;
          };
        });
  });
}

// scanPickle(path, cancel?)
Napi::Value scan_pickle(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[1]), [path](const CancelToken& cancel) {
          const PickleScan scan = sda::scan_pickle(File(path), &cancel);
          return [scan](Napi::Env env) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            result.Set("executes", scan.executes);
            Napi::Array globals = Napi::Array::New(env, scan.globals.size());
            for (std::uint32_t i = 0; i < scan.globals.size(); ++i) globals.Set(i, scan.globals[i]);
            result.Set("globals", globals);
            return result;
          };
        });
  });
}

// verify(path, cancel?)
Napi::Value verify(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[1]), [path](const CancelToken& cancel) {
          const FileReport report = verify_file(path, &cancel);
          return [report](Napi::Env env) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            result.Set("ok", report.problems.empty());
            result.Set("records", static_cast<double>(report.records));
            result.Set("bytes", static_cast<double>(report.bytes));
            Napi::Array problems = Napi::Array::New(env, report.problems.size());
            for (std::uint32_t i = 0; i < report.problems.size(); ++i)
              problems.Set(i, report.problems[i]);
            result.Set("problems", problems);
            return result;
          };
        });
  });
}

// preload(paths): opens shared libraries, so that an addon that is loaded later finds them by name.
Napi::Value preload(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    if (!call[0].IsArray()) throw Error(ErrorCode::kArgument, "paths must be an array");
    const auto paths = call[0].As<Napi::Array>();
    for (std::uint32_t i = 0; i < paths.Length(); ++i) {
      const std::string path = string_argument(paths.Get(i), "path");
      const std::string problem = os::open_library(path);
      if (!problem.empty()) throw Error(ErrorCode::kLibTorch, problem).with("path", path);
    }
    return call.Env().Undefined();
  });
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  Environment::install(env);
  exports.Set("version", SDA_VERSION);
  exports.Set("constants", Napi::Function::New(env, constants));
  exports.Set("registerClasses", Napi::Function::New(env, register_classes));
  exports.Set("createCancelToken", Napi::Function::New(env, create_cancel_token));
  exports.Set("read", Napi::Function::New(env, read));
  exports.Set("readAtOnce", Napi::Function::New(env, read_at_once));
  exports.Set("inspect", Napi::Function::New(env, inspect));
  exports.Set("scanPickle", Napi::Function::New(env, scan_pickle));
  exports.Set("verify", Napi::Function::New(env, verify));
  exports.Set("readIndex", Napi::Function::New(env, read_index));
  exports.Set("tryLock", Napi::Function::New(env, try_lock));
  exports.Set("canLock", Napi::Function::New(env, can_lock));
  exports.Set("unlock", Napi::Function::New(env, unlock));
  exports.Set("findText", Napi::Function::New(env, find_text));
  exports.Set("rename", Napi::Function::New(env, rename_file));
  exports.Set("save", Napi::Function::New(env, save));
  exports.Set("openSource", Napi::Function::New(env, open_source));
  exports.Set("closeSource", Napi::Function::New(env, close_source));
  exports.Set("removeStaleTemps", Napi::Function::New(env, remove_stale));
  exports.Set("preload", Napi::Function::New(env, preload));
  exports.Set("stopWork", Napi::Function::New(env, stop_work));
  return exports;
}

}  // namespace

NODE_API_MODULE(sda_checkpoint, initialise)

}  // namespace sda::addon
