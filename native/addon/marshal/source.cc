#include "addon/marshal/source.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "addon/errors.h"
#include "addon/handles.h"
#include "addon/marshal/arguments.h"
#include "checkpoint/memory_size.h"

namespace sda::addon {
namespace {

struct Image {
  std::string name;
  std::uint64_t size = 0;
  std::shared_ptr<PageBuffer> whole;  // null: the file is in parts
  std::uint64_t filled = 0;           // of `whole`, from its start
  bool used = false;
  std::vector<FilePart> parts;  // sorted and disjoint
};

}  // namespace

template <>
struct HandleTag<Image> {
  static constexpr napi_type_tag kTag = {0x1f6e0a97d25c4b08, 0x8a3bd47e90c1f562};
};

Napi::Value create_image(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    auto image = std::make_shared<Image>();
    image->name = string_argument(call[0], "name");
    const std::int64_t size = integer_argument(call[1], "size");
    if (size < 0) throw Error(ErrorCode::kArgument, "size must not be negative");
    image->size = static_cast<std::uint64_t>(size);
    if (call[2].ToBoolean().Value())
      image->whole = std::make_shared<PageBuffer>(memory_size(image->size));
    return wrap_handle(call.Env(), std::move(image));
  });
}

Napi::Value fill_image(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    Image& image = *unwrap_handle<Image>(call[0]);
    const auto offset = static_cast<std::uint64_t>(integer_argument(call[1], "offset"));
    if (!call[2].IsTypedArray()) throw Error(ErrorCode::kArgument, "bytes must be a Uint8Array");
    const auto bytes = call[2].As<Napi::Uint8Array>();
    const std::size_t count = bytes.ByteLength();
    if (offset > image.size || count > image.size - offset)
      throw Error(ErrorCode::kArgument, "bytes beyond the end of the file");
    if (count == 0) return call.Env().Undefined();
    if (image.whole != nullptr) {
      if (image.used || offset != image.filled)
        throw Error(ErrorCode::kArgument, "the bytes of a whole file must come in order");
      std::memcpy(image.whole->data() + offset, bytes.Data(), count);
      image.filled += count;
      return call.Env().Undefined();
    }
    auto part = std::make_shared<PageBuffer>(count);
    std::memcpy(part->data(), bytes.Data(), count);
    const auto next =
        std::upper_bound(image.parts.begin(), image.parts.end(), offset,
                         [](std::uint64_t at, const FilePart& known) { return at < known.offset; });
    const bool overlaps = (next != image.parts.end() && next->offset - offset < count) ||
                          (next != image.parts.begin() &&
                           offset - std::prev(next)->offset < std::prev(next)->bytes->size());
    if (overlaps) throw Error(ErrorCode::kArgument, "the parts of a file must not overlap");
    image.parts.insert(next, {offset, std::move(part)});
    return call.Env().Undefined();
  });
}

Source Source::argument(const Napi::Value& value) {
  Source source;
  if (value.IsString()) {
    source.name_ = string_argument(value, "path");
    return source;
  }
  Image& image = *unwrap_handle<Image>(value);
  if (image.whole != nullptr) {
    if (image.filled != image.size || image.used)
      throw Error(ErrorCode::kArgument, "a whole file must be complete, and is read once");
    image.used = true;
    source.parts_ = {{0, image.whole}};
    image.whole.reset();
  } else {
    source.parts_ = image.parts;
  }
  source.is_path_ = false;
  source.name_ = image.name;
  source.size_ = image.size;
  return source;
}

std::unique_ptr<const File> Source::open(Waiting waiting) const {
  return is_path_ ? std::make_unique<const File>(name_, waiting)
                  : std::make_unique<const File>(name_, size_, parts_);
}

}  // namespace sda::addon
