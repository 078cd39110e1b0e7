#include "checkpoint/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "checkpoint/ambiguity.h"
#include "checkpoint/container/reader.h"
#include "checkpoint/container/tar.h"
#include "checkpoint/container/zip_format.h"
#include "checkpoint/limits.h"
#include "checkpoint/memory_size.h"
#include "checkpoint/pickle/construct.h"
#include "checkpoint/pickle/globals.h"
#include "checkpoint/tensor/strided.h"

namespace sda {
namespace {

constexpr std::size_t kAlignment = 64;

struct Magic {
  std::string_view bytes;
  std::size_t at;
  std::string_view name;
  std::string_view container = {};  // of one that lib/torch can read
};

using namespace std::string_view_literals;
constexpr Magic kOthers[] = {
    {"\x1f\x8b"sv, 0, "a gzip archive", "gzip"},
    {"7z\xbc\xaf\x27\x1c"sv, 0, "a 7z archive"},
    {"\xfd\x37zXZ\0"sv, 0, "an xz archive"},
    {"BZh"sv, 0, "a bzip2 archive"},
    {"(\xb5/\xfd"sv, 0, "a zstd archive"},
    {"Rar!"sv, 0, "a rar archive"},
    {"ustar"sv, 257, "a tar archive"},
    {"\x89HDF"sv, 0, "an HDF5 file"},
    {"PK\x05\x06"sv, 0, "a zip archive without files"},
    {"PK\x06\x06"sv, 0, "a zip archive without files"},
    {"TFL3"sv, 4, "a TensorFlow Lite model"},
    {"\x93NUMPY"sv, 0, "a numpy .npy file", "npy"},
    {"RIFF"sv, 0, "a RIFF file (WAV or the like)"},
    {"GGUF"sv, 0, "a GGUF file"},
    {"\x7f"
     "ELF"sv,
     0, "a program"},
    {"version https://git-lfs"sv, 0, "a Git LFS pointer; the file itself was not fetched"},
};

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// safetensors: the length of a JSON object, and the object.
bool is_safetensors(std::string_view head, std::uint64_t file_size) {
  std::uint64_t length = 0;
  if (head.size() < sizeof length + 2) return false;
  std::memcpy(&length, head.data(), sizeof length);
  return length >= 2 && length <= file_size - sizeof length && head.substr(8, 2) == "{\"";
}

// ONNX: a message whose first fields are the version of its form and the program's name.
bool is_onnx(std::string_view head) {
  return head.size() > 4 && head[0] == 8 && head[1] > 0 && head[1] < 32 && head[2] == 0x12 &&
         (holds(head.substr(0, 64), "pytorch") || holds(head, "onnx"));
}

struct Guess {
  std::string_view what;
  std::string_view container = {};
};

Guess guess(std::string_view head, std::uint64_t file_size) {
  if (is_tar(head)) return {"a tar archive", "tar"};
  if (is_safetensors(head, file_size)) return {"a safetensors file", "safetensors"};
  if (is_onnx(head)) return {"an ONNX model"};
  for (const Magic& magic : kOthers)
    if (head.size() >= magic.at + magic.bytes.size() &&
        head.substr(magic.at, magic.bytes.size()) == magic.bytes)
      return {magic.name, magic.container};
  // The header of zlib: its method, its window and a check that both bytes are a multiple of 31.
  if (head.size() > 2 && head[0] == 'x' &&
      (('x' << 8) + static_cast<unsigned char>(head[1])) % 31 == 0)
    return {"a zlib stream", "zlib"};
  const std::size_t start = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (start == std::string_view::npos) return {"an empty text"};
  if (head.find_first_not_of('\0') == std::string_view::npos)
    return {"a file that was never written: it begins with zeros alone"};
  if (head[start] == '<') return {"HTML or XML"};
  if (head[start] == '{' || head[start] == '[') return {"JSON"};
  return {"something else"};
}

// What a pickle is that no file of torch.save begins with.
Guess guess_pickle(std::string_view head) {
  if (holds(head, "sklearn")) return {"a pickle of scikit-learn, which is no torch file", "pickle"};
  if (holds(head, "joblib")) return {"a pickle of joblib, which is no torch file", "pickle"};
  return {"a pickle, but not one of torch.save", "pickle"};
}

// Whether a file of protocol 0 or 1 may begin and end so. These protocols have no signature.
bool may_be_text_pickle(const File& file, std::string_view head) {
  if (std::string_view("(]}c").find(head[0]) == std::string_view::npos) return false;
  char last;
  file.read_at(file.size() - 1, &last, 1);
  return last == '.';
}

std::shared_ptr<std::byte> aligned_memory(std::uint64_t size) {
  auto* memory = static_cast<std::byte*>(
      ::operator new (std::max<std::size_t>(memory_size(size), 1), std::align_val_t{kAlignment}));
  return {memory, [](std::byte* p) { ::operator delete (p, std::align_val_t{kAlignment}); }};
}

// `negate` changes the sign of every element, `conjugate` that of every imaginary part.
void flip_signs(std::byte* data, std::uint64_t numel, DType dtype, bool conjugate, bool negate) {
  const std::size_t scalar = scalar_size(dtype);
  const std::size_t parts = item_size(dtype) / scalar;
  for (std::uint64_t i = 0; i < numel * parts; ++i) {
    const bool flip = negate != (conjugate && parts == 2 && i % 2 == 1);
    // The sign bit of a floating-point scalar is the top bit of its last byte.
    if (flip) data[(i + 1) * scalar - 1] ^= std::byte{0x80};
  }
}

bool is_floating(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kFloat32:
    case DType::kFloat64:
    case DType::kComplex32:
    case DType::kComplex64:
    case DType::kComplex128:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string_view container_name(Container container) {
  switch (container) {
    case Container::kZip:
      return "zip";
    case Container::kLegacy:
      return "legacy";
    case Container::kTar:
      return "tar";
    case Container::kScript:
      return "torchscript";
    case Container::kPackage:
      return "package";
    case Container::kPickle:
      return "pickle";
  }
  return {};
}

FileKind sniff(const File& file, bool any_container) {
  if (file.size() == 0)
    throw Error(ErrorCode::kFormat, "'" + file.path() + "' is empty")
        .with("path", file.path())
        .with("offset", std::int64_t{0});
  std::array<char, kTarBlock> buffer;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), buffer.size()));
  file.read_at(0, buffer.data(), size);
  const std::string_view head(buffer.data(), size);
  // A file shorter than the signature that agrees with its beginning counts as a truncated torch
  // file, not as another format.
  const std::string_view start = head.substr(0, zip_format::kMagic.size());
  if (start == zip_format::kMagic.substr(0, start.size())) return FileKind::kZip;
  // A legacy file begins with a pickled magic number. Its first bytes depend on the pickle
  // protocol.
  constexpr std::size_t kMagicPickle = 25;
  if (head.starts_with(kLegacyMagicText)) return FileKind::kLegacy;
  const bool is_pickle = head[0] == '\x80';
  if (is_pickle && (head.substr(0, kMagicPickle).find(kLegacyMagic) != std::string_view::npos ||
                    head.size() < kMagicPickle)) {
    if (is_tar(head))
      refuse_ambiguous(ambiguity::kTar,
                       "'" + file.path() + "' is a legacy torch file and a tar archive", 0);
    // A short file may also be a short pickle, which is whole.
    const bool is_whole =
        head.size() < kMagicPickle && head.back() == '.' && head.find(kLegacyMagic) == head.npos;
    if (!any_container || !is_whole) return FileKind::kLegacy;
  }
  const Guess found = is_pickle && !is_tar(head) ? guess_pickle(head) : guess(head, file.size());
  if (any_container) {
    if (found.container == "tar") return FileKind::kTar;
    if (found.container == "pickle") return FileKind::kPickle;
    if (found.container.empty() && may_be_text_pickle(file, head)) return FileKind::kPickle;
  }
  Error error(ErrorCode::kFormat, "'" + file.path() + "' is not a torch.save file; it looks like " +
                                      std::string(found.what));
  error.with("path", file.path())
      .with("offset", std::int64_t{0})
      .with("found", std::string(found.what));
  if (!found.container.empty()) error.with("container", std::string(found.container));
  throw error;
}

std::shared_ptr<const Document> Document::open(const std::string& path,
                                               const OpenOptions& options) {
  return open(File(path), options);
}

std::shared_ptr<const Document> Document::open_at_once(const std::string& path,
                                                       const OpenOptions& options) noexcept {
  if (options.hold == Hold::kMemory) return nullptr;
  try {
    return open(File(path, Waiting::kNever), options);
  } catch (...) {
    return nullptr;
  }
}

std::shared_ptr<const Document> Document::open(const File& file, const OpenOptions& options) {
  const std::string& path = file.path();
  try {
    std::shared_ptr<Document> document(new Document());
    document->file_size_ = file.size();
    const FileKind kind = sniff(file, options.any_container);
    if (kind != FileKind::kZip) file.before_waiting();
    switch (kind) {
      case FileKind::kZip:
        document->container_ = Container::kZip;
        ZipReader(file, options, *document).read();
        break;
      case FileKind::kLegacy:
        document->container_ = Container::kLegacy;
        LegacyReader(file, options, *document).read();
        break;
      case FileKind::kTar:
        document->container_ = Container::kTar;
        TarReader(file, options, *document).read();
        break;
      case FileKind::kPickle:
        document->container_ = Container::kPickle;
        PickleReader(file, options, *document).read();
        break;
    }
    return document;
  } catch (Error& error) {
    error.with("path", path);
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kLimit, "not enough memory to read '" + path + "'").with("path", path);
  }
}

void Document::allocate_arena(std::uint64_t pickle_size, Waiting waiting,
                              std::uint64_t memory_bytes) {
  if (waiting == Waiting::kNever) {
    arena_ = std::make_unique<Arena>(limits::kAtOnceHeapBytes, limits::kAtOnceHeapBytes);
    return;
  }
  const std::uint64_t in_proportion =
      limits::kPickleHeapBytes + limits::kPickleHeapFactor * pickle_size + file_size_ - pickle_size;
  arena_ = std::make_unique<Arena>(std::min(memory_bytes, in_proportion),
                                   limits::kPickleDataBytes + 2 * file_size_);
}

void Document::finish_tensors(bool swap_bytes, const File& file, const OpenOptions& options) {
  if (swap_bytes) {
    file.before_waiting();
    // An untyped storage takes the dtype, and so the width of its scalars, from the first tensor in
    // it.
    arena_->for_each<Tensor>([](Tensor& tensor) {
      if (!tensor.storage->dtype) tensor.storage->dtype = tensor.dtype;
    });
    arena_->for_each<Storage>([](Storage& storage) {
      if (storage.data == nullptr || storage.base != nullptr || !storage.dtype) return;
      const std::size_t scalar = scalar_size(*storage.dtype);
      swap_scalars(storage.data, storage.byte_size / scalar, scalar);
    });
  }

  const auto needs_copy = [&options](const Tensor& tensor) {
    return tensor.needed && tensor.storage->data != nullptr && !tensor.is_contiguous() &&
           (!options.keep_strides || tensor.conjugate || tensor.negate);
  };
  std::uint64_t total = 0;
  const std::uint64_t limit = limits::kMaterializeBytes + file_size_;
  arena_->for_each<Tensor>([&](Tensor& tensor) {
    if (!needs_copy(tensor)) return;
    const std::uint64_t bytes = tensor.numel() * item_size(tensor.dtype);
    if (bytes > limit || (total += bytes) > limit)
      throw Error(ErrorCode::kLimit, "expanded or transposed tensors would take " +
                                         std::to_string(std::max(total, bytes)) +
                                         " bytes, far more than the file has");
  });
  if (total == 0) return;
  file.before_waiting();
  arena_->for_each<Tensor>([&](Tensor& tensor) {
    if (!needs_copy(tensor)) return;
    const std::size_t item = item_size(tensor.dtype);
    const std::uint64_t numel = tensor.numel();
    tensor.contiguous = aligned_memory(numel * item);
    copy_strided(tensor.contiguous.get(), tensor.storage->data + tensor.offset * item, tensor.shape,
                 tensor.strides, item);
    if (tensor.conjugate || tensor.negate) {
      if (!is_floating(tensor.dtype))
        throw Error(ErrorCode::kCorrupt, "a conjugated or negated view of integers");
      flip_signs(tensor.contiguous.get(), numel, tensor.dtype, tensor.conjugate, tensor.negate);
    }
  });
}

StorageId parse_storage_id(const Value& persistent_id, std::size_t min_items, std::size_t max_items,
                           Arena& arena) {
  const auto* tuple = persistent_id.as<Tuple>();
  const auto kind =
      tuple == nullptr || tuple->items.empty() ? std::nullopt : tuple->items[0].as_str();
  if (!kind || *kind != "storage")
    throw Error(ErrorCode::kUnsafe, "a persistent id that is not a storage");
  const auto& items = tuple->items;
  if (items.size() < min_items || items.size() > max_items)
    throw Error(ErrorCode::kCorrupt,
                "a storage's persistent id has " + std::to_string(items.size()) + " values");
  const auto* cls = items[1].as<Global>();
  if (cls == nullptr ||
      (cls->known != Known::kTorchStorage && cls->known != Known::kTorchUntypedStorage))
    throw Error(ErrorCode::kUnsafe, "a storage of class '" + describe(items[1]) + "'");
  // torch.package numbers its storages.
  const auto number = items[2].as_int();
  const auto key = number ? std::optional(arena.keep(std::to_string(*number))) : items[2].as_str();
  const auto location = items[3].as_str();
  const auto count = items[4].as_int();
  if (!key || !location || !count)
    throw Error(ErrorCode::kCorrupt, "a storage's persistent id has values of the wrong types");
  if (key->size() > limits::kMaxNameBytes)
    throw Error(ErrorCode::kLimit,
                "a storage with a key of " + std::to_string(key->size()) + " bytes");
  StorageId id;
  if (cls->known == Known::kTorchStorage) id.dtype = static_cast<DType>(cls->dtype);
  id.key = *key;
  id.location = *location;
  id.byte_size = checked_bytes(*count, id.dtype ? item_size(*id.dtype) : 1);
  id.items = &items;
  return id;
}

bool is_same_storage(Storage& known, const StorageId& id) {
  if (known.byte_size != id.byte_size ||
      known.dtype.value_or(DType::kUint8) != id.dtype.value_or(DType::kUint8))
    return false;
  if (!known.dtype) known.dtype = id.dtype;
  return true;
}

std::uint64_t checked_bytes(std::int64_t count, std::size_t size) {
  std::int64_t bytes;
  if (count < 0 || __builtin_mul_overflow(count, static_cast<std::int64_t>(size), &bytes))
    throw Error(ErrorCode::kCorrupt,
                "a storage or offset of " + std::to_string(count) + " elements");
  return static_cast<std::uint64_t>(bytes);
}

void place_storage(Storage& storage, std::byte* image, const std::shared_ptr<const void>& owner,
                   const File& file) {
  constexpr std::size_t kWidestItem = 16;
  std::byte* data = image + storage.file_offset;
  if (reinterpret_cast<std::uintptr_t>(data) % kWidestItem == 0) {
    storage.data = data;
    storage.owner = owner;
    return;
  }
  file.before_waiting();
  auto copy = aligned_memory(storage.byte_size);
  std::memcpy(copy.get(), data, memory_size(storage.byte_size));
  storage.data = copy.get();
  storage.owner = std::move(copy);
}

}  // namespace sda
