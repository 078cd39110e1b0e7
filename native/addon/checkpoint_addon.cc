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
#include "addon/marshal/external_buffer.h"
#include "addon/marshal/outline.h"
#include "addon/marshal/program.h"
#include "addon/marshal/source.h"
#include "addon/marshal/values.h"
#include "addon/save.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/pickle/scan_pickle.h"
#include "os/shared_library.h"

namespace sda::addon {
namespace {

struct ReadOptions {
  OpenOptions open;
  std::optional<std::vector<std::string>> only;
};

std::vector<std::string> strings_argument(const Napi::Value& value, const char* name) {
  std::vector<std::string> result;
  if (!value.IsArray()) throw Error(ErrorCode::kArgument, std::string(name) + " must be an array");
  const auto array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i)
    result.push_back(string_argument(array.Get(i), name));
  return result;
}

std::uint64_t memory_option(const Napi::Object& options) {
  const Napi::Value given = options.Get("memoryBytes");
  if (given.IsUndefined()) return limits::kMemoryBytes;
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, integer_argument(given, "memoryBytes")));
}

ReadOptions read_options(const Napi::Object& options) {
  ReadOptions result;
  const bool verify = boolean_option(options, "verify", true);
  const bool weights = boolean_option(options, "weights", true);
  result.open.memory_bytes = memory_option(options);
  result.open.keep_strides = true;
  result.open.any_container = boolean_option(options, "anyContainer", false);
  result.open.hold = !weights ? Hold::kNothing : verify ? Hold::kMemory : Hold::kMapping;
  const Napi::Value policy = options.Get("unknownGlobals");
  result.open.inert_globals =
      !policy.IsUndefined() && string_argument(policy, "unknownGlobals") == "inert";
  if (const Napi::Value given = options.Get("encoding"); !given.IsUndefined()) {
    const std::string encoding = string_argument(given, "encoding");
    if (encoding == "latin1") result.open.encoding = Encoding::kLatin1;
    if (encoding == "bytes") result.open.encoding = Encoding::kBytes;
  }
  if (boolean_option(options, "withoutTraining", false))
    result.open.without = {vocoder_checkpoint()};
  const Napi::Value only = options.Get("only");
  if (only.IsArray()) result.only = strings_argument(only, "only");
  return result;
}

// Without an environment, for a pool thread.
std::shared_ptr<Program> content(const Document& document, const std::string& path,
                                 const std::optional<std::vector<std::string>>& only, double most,
                                 const CancelToken* cancel = nullptr) {
  try {
    using enum ProgramWriter::Purpose;
    ProgramWriter writer(document, only ? kReading : kKeeping, most, cancel);
    if (only)
      writer.top(document.root(), [&](std::string_view key) {
        return std::find(only->begin(), only->end(), key) != only->end();
      });
    else
      writer.value(document.root());
    return writer.finish(path);
  } catch (Error& error) {
    error.with("path", path);
    throw;
  }
}

// read(source, options, cancel?)
Napi::Value read(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const Source source = Source::argument(call[0]);
    const ReadOptions options = read_options(object_argument(call[1], "options"));
    Environment& environment = Environment::of(call.Env());
    const double most = environment.max_buffer_bytes;
    return environment.run(
        call.Env(), cancel_argument(call[2]),
        [source, options, most](const CancelToken& cancel) -> Finish {
          OpenOptions open = options.open;
          open.cancel = &cancel;
          const auto document = Document::open(*source.open(), open);
          auto program = content(*document, source.name(), options.only, most, &cancel);
          return [program](Napi::Env env) -> Napi::Value { return program_object(env, program); };
        });
  });
}

// readAtOnce(path, options) → what read() resolves to, or undefined; see open_at_once().
Napi::Value read_at_once(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    const ReadOptions options = read_options(object_argument(call[1], "options"));
    const auto document = Document::open_at_once(path, options.open);
    if (!document) return call.Env().Undefined();
    const double most = Environment::of(call.Env()).max_buffer_bytes;
    return program_object(call.Env(), content(*document, path, options.only, most));
  });
}

// outline(path, only, cancel?): a model file's content without its weights, which are not read.
Napi::Value read_outline(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    const auto only = strings_argument(call[1], "only");
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[2]), [path, only](const CancelToken& cancel) {
          OpenOptions open;
          open.hold = Hold::kNothing;
          open.cancel = &cancel;
          auto document = Document::open(path, open);
          return [document = std::move(document), only, path](Napi::Env env) -> Napi::Value {
            return outline(env, document, path, &only);
          };
        });
  });
}

// outlineAtOnce(path, only) → the value that outline() resolves to, or undefined; see
// Document::open_at_once().
Napi::Value outline_at_once(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    const auto only = strings_argument(call[1], "only");
    OpenOptions open;
    open.hold = Hold::kNothing;
    const auto document = Document::open_at_once(path, open);
    if (!document) return call.Env().Undefined();
    return outline(call.Env(), document, path, &only);
  });
}

// lib/native/types.ts documents these names.
const char* global_kind(std::string_view full_name, Known known) {
  if (known == Known::kForeign) return "unknown";
  if (known != Known::kProgramClass) return "known";
  return is_program_enum(full_name) ? "project" : "project-code";
}

void set_globals(Napi::Object& result, const NamedGlobals& named) {
  Napi::Array globals = Napi::Array::New(result.Env());
  Napi::Array kinds = Napi::Array::New(result.Env());
  std::uint32_t count = 0;
  for (const auto& [name, known] : named) {
    globals.Set(count, name);
    kinds.Set(count++, global_kind(name, known));
  }
  result.Set("globals", globals);
  result.Set("globalKinds", kinds);
}

// inspect(source, options, cancel?)
Napi::Value inspect(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const Source source = Source::argument(call[0]);
    const Napi::Object options = object_argument(call[1], "options");
    const std::uint64_t memory_bytes = memory_option(options);
    const bool any_container = boolean_option(options, "anyContainer", false);
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[2]),
             [source, memory_bytes, any_container](const CancelToken& cancel) {
               OpenOptions open;
               open.hold = Hold::kNothing;
               open.memory_bytes = memory_bytes;
               open.any_container = any_container;
               open.inert_globals = true;
               open.encoding = Encoding::kAny;
               open.cancel = &cancel;
               const auto document = Document::open(*source.open(), open);
               auto tensors = list_tensors(*document);
               return [document, tensors = std::move(tensors)](Napi::Env env) -> Napi::Value {
                 Napi::Object result = Napi::Object::New(env);
                 result.Set("container", std::string(container_name(document->container())));
                 result.Set("bytes", static_cast<double>(document->file_size()));
                 set_globals(result, document->globals());
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
                   if (tensors[i].alias_of)
                     entry.Set("aliasOf", tensors[*tensors[i].alias_of].name);
                   list.Set(i, entry);
                 }
                 result.Set("tensors", list);
                 return result;
               };
             });
  });
}

// listArchive(source, cancel?): the records of any zip archive
Napi::Value list_archive(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const Source source = Source::argument(call[0]);
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[1]), [source](const CancelToken&) {
          const auto file = source.open();
          auto records = list_archive(*file);
          return [records = std::move(records)](Napi::Env env) -> Napi::Value {
            Napi::Array list = Napi::Array::New(env, records.size());
            for (std::uint32_t i = 0; i < records.size(); ++i) {
              Napi::Object entry = Napi::Object::New(env);
              entry.Set("name", records[i].name);
              entry.Set("offset", static_cast<double>(records[i].data_offset));
              entry.Set("stored", static_cast<double>(records[i].stored));
              entry.Set("size", static_cast<double>(records[i].size));
              entry.Set("crc", records[i].crc);
              entry.Set("deflated", records[i].method != 0);
              list.Set(i, entry);
            }
            return list;
          };
        });
  });
}

// lib/native/types.ts documents the result.
Napi::Value scan_result(Napi::Env env, const PickleScan& scan) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("executes", scan.executes);
  result.Set("complete", scan.complete);
  set_globals(result, scan.globals);
  if (scan.problem) {
    result.Set("code", std::string(code_name(scan.problem->code())));
    result.Set("problem", scan.problem->message());
  }
  return result;
}

// scanPickle(path, cancel?)
Napi::Value scan_pickle(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[1]), [path](const CancelToken& cancel) {
          const PickleScan scan = sda::scan_pickle(File(path), &cancel);
          return [scan](Napi::Env env) { return scan_result(env, scan); };
        });
  });
}

// scanPickleBytes(bytes, cancel?): the bytes are copied.
Napi::Value scan_pickle_bytes(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    if (!call[0].IsTypedArray() ||
        call[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      throw Error(ErrorCode::kArgument, "bytes must be a Uint8Array");
    const auto given = call[0].As<Napi::Uint8Array>();
    const auto* data = reinterpret_cast<const std::byte*>(given.Data());
    auto bytes = std::make_shared<std::vector<std::byte>>(data, data + given.ByteLength());
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[1]), [bytes](const CancelToken& cancel) {
          const PickleScan scan = sda::scan_pickle(File("bytes", Bytes(*bytes)), &cancel);
          return [scan](Napi::Env env) { return scan_result(env, scan); };
        });
  });
}

// mapParts(path, places, cancel?) → an ArrayBuffer for each part of the mapped file. `places`: the
// offset and the size of each part, one behind the other.
Napi::Value map_parts(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    if (!call[1].IsTypedArray() ||
        call[1].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
      throw Error(ErrorCode::kArgument, "places must be a Float64Array");
    const auto given = call[1].As<Napi::Float64Array>();
    const std::vector<double> places(given.Data(), given.Data() + given.ElementLength());
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[2]), [path, places](const CancelToken&) {
          const File file(path);
          const auto size = static_cast<double>(file.size());
          for (std::size_t i = 0; i + 1 < places.size(); i += 2)
            if (!(places[i] >= 0 && places[i + 1] >= 0 && places[i] + places[i + 1] <= size))
              throw Error(ErrorCode::kCorrupt, "'" + path + "' has become shorter")
                  .with("path", path);
          auto mapping = std::make_shared<MappedFile>(file);
          return [mapping, places](Napi::Env env) -> Napi::Value {
            Napi::Array parts = Napi::Array::New(env, places.size() / 2);
            for (std::uint32_t i = 0; i < places.size() / 2; ++i) {
              const auto bytes = static_cast<std::size_t>(places[2 * i + 1]);
              std::byte* data = mapping->data() + static_cast<std::size_t>(places[2 * i]);
              parts.Set(i, bytes > 0 ? external_buffer(env, data, bytes, mapping)
                                     : napi_value(Napi::ArrayBuffer::New(env, 0)));
            }
            return parts;
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
  exports.Set("prepare", Napi::Function::New(env, prepare));
  exports.Set("programText", Napi::Function::New(env, program_text));
  exports.Set("programBuffer", Napi::Function::New(env, program_buffer));
  exports.Set("createCancelToken", Napi::Function::New(env, create_cancel_token));
  exports.Set("createImage", Napi::Function::New(env, create_image));
  exports.Set("fillImage", Napi::Function::New(env, fill_image));
  exports.Set("listArchive", Napi::Function::New(env, list_archive));
  exports.Set("read", Napi::Function::New(env, read));
  exports.Set("readAtOnce", Napi::Function::New(env, read_at_once));
  exports.Set("outline", Napi::Function::New(env, read_outline));
  exports.Set("outlineAtOnce", Napi::Function::New(env, outline_at_once));
  exports.Set("inspect", Napi::Function::New(env, inspect));
  exports.Set("scanPickle", Napi::Function::New(env, scan_pickle));
  exports.Set("scanPickleBytes", Napi::Function::New(env, scan_pickle_bytes));
  exports.Set("mapParts", Napi::Function::New(env, map_parts));
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
