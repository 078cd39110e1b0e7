#include "addon/save.h"

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/handles.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/from_js.h"
#include "addon/marshal/program.h"
#include "addon/marshal/values.h"
#include "checkpoint/io/writer_file.h"

namespace sda::addon {

template <>
struct HandleTag<const SourceFile> {
  static constexpr napi_type_tag kTag = {0x8c06b1a42c8f4f3d, 0xa5c7d9be31f24b60};
};

namespace {

struct Target {
  bool replace = false;
  std::string path;  // replace
  std::string folder, stem, extension;
};

std::filesystem::path utf8_path(const std::string& path) {
  return std::u8string(path.begin(), path.end());
}

Target target_argument(const Napi::Object& object) {
  Target target;
  if (!object.Get("path").IsUndefined()) {
    target.replace = true;
    target.path = string_argument(object.Get("path"), "path");
    const std::u8string file = utf8_path(target.path).filename().u8string();
    const std::string name(file.begin(), file.end());
    const std::size_t dot = name.rfind('.');
    target.stem = dot == std::string::npos ? name : name.substr(0, dot);
    // PyTorch's name for an archive without a name.
    if (target.stem.empty()) target.stem = "archive";
  } else {
    target.folder = string_argument(object.Get("folder"), "folder");
    target.stem = string_argument(object.Get("stem"), "stem");
    target.extension = string_argument(object.Get("extension"), "extension");
  }
  return target;
}

std::string parent(const std::string& path) {
  const std::u8string folder = utf8_path(path).parent_path().u8string();
  return folder.empty() ? "." : std::string(folder.begin(), folder.end());
}

struct Saved {
  std::string path;
  std::uint64_t bytes;
  std::vector<std::uint32_t> unshared;  // numbers of views
};

Saved write(const Value& root, const Target& target, const WriteOptions& options) {
  const std::string real = target.replace ? follow_links(target.path) : std::string();
  TempFile temp(target.replace ? parent(real) : target.folder);
  OutputFile out(temp.handle(), temp.path());
  const std::string top =
      target.replace ? target.stem : free_stem(target.folder, target.stem, target.extension);
  write_checkpoint(root, top, out, options);
  if (options.cancel != nullptr) options.cancel->throw_if_cancelled();
  if (!target.replace) return {temp.publish_new(target.stem, target.extension), out.position(), {}};
  temp.publish_over(real);
  return {target.path, out.position(), {}};
}

}  // namespace

Napi::Value start_save(const Napi::CallbackInfo& call, SaveSource source) {
  constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
  const Napi::Object plan = object_argument(call[0], "plan");
  const Target target = target_argument(object_argument(call[1], "target"));
  const auto arena = std::make_shared<Arena>(kUnlimited, kUnlimited);
  const Dict* carried = source.document ? source.document->root().as<Dict>() : nullptr;
  const auto memory = std::make_shared<SavedMemory>(call.Env());
  ValueBuilder builder(call.Env(), plan, carried, *arena, *memory);
  const Value root = builder.build();
  const bool numpy2 = source.document &&
                      (source.document->globals().contains("numpy._core.multiarray._reconstruct") ||
                       source.document->globals().contains("numpy._core.multiarray.scalar") ||
                       source.document->globals().contains("numpy._core.numeric._frombuffer"));
  return Environment::of(call.Env())
      .run(
          call.Env(), cancel_argument(call[3]),
          [root, views = builder.take_views(), target, arena, memory, source = std::move(source),
           numpy2](const CancelToken& cancel) -> Finish {
            WriteOptions options;
            options.style.numpy2_names = numpy2;
            options.source = source.file.get();
            options.cancel = &cancel;
            if (memory->has_guarded())
              options.access = [&](const void* data, const std::function<void()>& f) {
                memory->access(data, f, cancel);
              };
            std::vector<std::uint32_t> unshared = views.unshared;
            for (const CopiedView& view : views.open) {
              cancel.throw_if_cancelled();
              if (!view.share()) unshared.push_back(view.number);
            }
            Saved saved = write(root, target, options);
            saved.unshared = std::move(unshared);
            return [saved](Napi::Env env) -> Napi::Value {
              Napi::Object result = Napi::Object::New(env);
              result.Set("path", saved.path);
              result.Set("bytes", static_cast<double>(saved.bytes));
              Napi::Array numbers = Napi::Array::New(env);
              for (const std::uint32_t number : saved.unshared)
                numbers.Set(numbers.Length(), number);
              result.Set("unshared", numbers);
              return result;
            };
          },
          [memory] { memory->release(); });
}

Napi::Value save(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    SaveSource source;
    if (!call[2].IsUndefined()) {
      source.file = unwrap_handle<const SourceFile>(call[2]);
      if (!source.file) throw Error(ErrorCode::kArgument, "the source file has been closed");
      source.document = source.file->document();
    }
    return start_save(call, std::move(source));
  });
}

Napi::Value open_source(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[1]), [path](const CancelToken& cancel) -> Finish {
          auto source = SourceFile::open(path, &cancel);
          return [source = std::move(source), path](Napi::Env env) -> Napi::Value {
            // Leaves out state that only training needs: an optimizer has two tensors for each
            // weight.
            const auto& document = source->document();
            // The metrics of a model of codes go into its file.
            const bool keeps_metrics = find_value(*document, "model_type") != nullptr;
            const auto wanted = [&](std::string_view key) {
              return key != "optimizer_state_dict" && key != "scheduler_state_dict" &&
                     (keeps_metrics || key != "metrics_history");
            };
            Napi::Object result = Napi::Object::New(env);
            ProgramWriter writer(*document, ProgramWriter::Purpose::kKeeping,
                                 Environment::of(env).max_buffer_bytes);
            writer.top(document->root(), wanted);
            result.Set("content", values_of(env, writer.finish(path)));
            result.Set("source", wrap_handle(env, source));
            return result;
          };
        });
  });
}

Napi::Value close_source(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    unwrap_handle<const SourceFile>(call[0]).reset();  // running saves share the source
    return call.Env().Undefined();
  });
}

Napi::Value remove_stale(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string folder = string_argument(call[0], "folder");
    return Environment::of(call.Env())
        .run(call.Env(), nullptr, [folder](const CancelToken&) -> Finish {
          const std::size_t removed = remove_stale_temps(folder);
          return [removed](Napi::Env env) -> Napi::Value {
            return Napi::Number::New(env, static_cast<double>(removed));
          };
        });
  });
}

}  // namespace sda::addon
