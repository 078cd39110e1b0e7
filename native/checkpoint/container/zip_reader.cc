#include <algorithm>
#include <charconv>
#include <optional>

#include "checkpoint/container/image_reader.h"
#include "checkpoint/container/reader.h"
#include "checkpoint/io/crc32.h"
#include "checkpoint/io/window_reader.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/utf8.h"

namespace sda {
namespace {

// The highest archive version that PyTorch's own reader accepts.
constexpr int kHighestArchiveVersion = 10;
constexpr std::size_t kSmallRecord = 1024;

[[noreturn]] void crc_mismatch(const File& file, const ZipRecord& record) {
  throw Error(ErrorCode::kCorrupt,
              "'" + file.path() + "': record '" + record.name + "' is damaged (CRC-32 mismatch)")
      .with("path", file.path())
      .with("offset", static_cast<std::int64_t>(record.data_offset))
      .with("record", record.name);
}

}  // namespace

ZipReader::ZipReader(const File& file, const OpenOptions& options, Document& document)
    : file_(file), options_(options), document_(document), directory_(file) {}

void ZipReader::read() {
  check_kind();
  std::uint64_t total = 0;
  for (const Part& part : parts_) {
    const ZipRecord& record = *directory_.find(part.name);
    total += record.size;  // no record is larger than the file
    if (total > limits::kMaxPickleBytes)
      throw Error(ErrorCode::kLimit, "a pickle of " + std::to_string(total) + " bytes")
          .with("offset", static_cast<std::int64_t>(record.header_offset));
  }
  if (options_.hold == Hold::kNothing) {
    take_pickles();
    parse_pickles();
    return;
  }
  check_local_headers();
  take_pickles();
  std::optional<ImageReader> image;
  const auto read_image = [&] {
    if (options_.hold == Hold::kMemory)
      image.emplace(file_, directory_.records(), directory_.records_end(), wanted_records(),
                    options_.cancel);
  };
  const bool partly = may_hold(parts_[0].bytes, options_.without);
  // The image's helper thread reads while this thread parses, but for a file of which a part may
  // be left out: that part is known after parsing.
  if (!partly) read_image();
  parse_pickles();
  if (partly) {
    leave_out(document_.root_, options_.without, *document_.arena_);
    read_image();
  }
  check_version();
  const bool swap = is_foreign_byte_order();
  if (image)
    place_image(*image);
  else
    map();
  document_.finish_tensors(swap, file_, options_);
}

void ZipReader::check_local_headers() {
  WindowReader headers(file_);
  for (ZipRecord& record : directory_.records())
    check_local_header(record, directory_.top_folder(), file_.path(), std::ref(headers));
}

void ZipReader::check_kind() {
  const auto refuse = [&](const char* what, std::string_view container) {
    throw Error(ErrorCode::kFormat, "'" + file_.path() + "' is " + what)
        .with("path", file_.path())
        .with("offset", std::int64_t{0})
        .with("container", std::string(container));
  };
  if (directory_.find("archive_format") != nullptr)
    refuse("a program of torch.export, not data", "pt2");
  if (directory_.find(".data/extern_modules") != nullptr) {
    if (!options_.any_container) refuse("an archive of torch.package", "package");
    document_.container_ = Container::kPackage;
    for (const ZipRecord& record : directory_.records())
      if (record.name.ends_with(".pkl") && !record.name.starts_with(".data/"))
        parts_.push_back({record.name, ".data/", ".storage", {}});
    if (parts_.empty()) refuse("an archive of torch.package without a pickle", "package");
    return;
  }
  if (directory_.find("data.pkl") == nullptr)
    refuse(directory_.find("model.json") != nullptr
               ? "a TorchScript program of PyTorch 1.3 or older"
               : "a zip archive, but not one of torch.save: it has no data.pkl",
           "zip");
  parts_.push_back({"data.pkl", "data/", "", {}});
  if (directory_.find("constants.pkl") != nullptr) {
    if (!options_.any_container) refuse("a TorchScript program, not data", "torchscript");
    document_.container_ = Container::kScript;
    parts_.push_back({"constants.pkl", "constants/", "", {}});
  }
}

// All but the storages that are left out.
std::vector<bool> ZipReader::wanted_records() const {
  std::vector<bool> wanted(directory_.records().size(), true);
  for (std::size_t i = 0; i < storages_.size(); ++i)
    wanted[i] = storages_[i] == nullptr || storages_[i]->needed;
  return wanted;
}

void ZipReader::take_pickles() {
  std::uint64_t total = 0;
  WindowReader headers(file_);
  for (Part& part : parts_) {
    ZipRecord& record = *directory_.find(part.name);
    if (options_.hold == Hold::kNothing)
      check_local_header(record, directory_.top_folder(), file_.path(), std::ref(headers));
    const auto size = static_cast<std::size_t>(record.size);
    if (size > limits::kAtOnceBytes) file_.before_waiting();
    char* const bytes = document_.pickles_.emplace_back(new char[size]).get();
    file_.read_at(record.data_offset, bytes, size);
    if (!record.has_crc(crc32(0, bytes, size))) crc_mismatch(file_, record);
    part.bytes = {bytes, size};
    total += size;
  }
  document_.allocate_arena(total, file_.waiting(), options_.memory_bytes);
}

void ZipReader::parse_pickles() {
  PickleSettings settings{options_.inert_globals, &document_.globals_, options_.cancel,
                          options_.encoding};
  settings.script = document_.container_ == Container::kScript;
  std::vector<Value> roots;
  for (const Part& part : parts_) {
    part_ = &part;
    PickleMachine machine(part.bytes, directory_.find(part.name)->data_offset, *document_.arena_,
                          this, settings);
    roots.push_back(machine.run());
  }
  document_.root_ = document_.container_ == Container::kScript    ? script(roots)
                    : document_.container_ == Container::kPackage ? package(roots)
                                                                  : roots[0];
}

// { module, constants, code: name → text }, as a torch.jit.ScriptModule
Value ZipReader::script(const std::vector<Value>& parts) {
  Arena& arena = *document_.arena_;
  auto* code = arena.make<Dict>();
  WindowReader headers(file_);
  for (ZipRecord& record : directory_.records()) {
    if (!record.name.starts_with("code/") || !record.name.ends_with(".py")) continue;
    if (options_.hold == Hold::kNothing)
      check_local_header(record, directory_.top_folder(), file_.path(), std::ref(headers));
    if (record.size > limits::kMaxPickleBytes)
      throw Error(ErrorCode::kLimit, "code of " + std::to_string(record.size) + " bytes")
          .with("offset", static_cast<std::int64_t>(record.header_offset));
    const auto size = static_cast<std::size_t>(record.size);
    char* const text = arena.allocate(size);
    file_.read_at(record.data_offset, text, size);
    if (!record.has_crc(crc32(0, text, size))) crc_mismatch(file_, record);
    if (!is_python_utf8({text, size}))
      throw Error(ErrorCode::kCorrupt, "record '" + record.name + "' is not UTF-8")
          .with("offset", static_cast<std::int64_t>(record.data_offset));
    arena.push(code->entries, {Value::str(arena.keep(std::string_view(record.name).substr(5))),
                               Value::str({text, size})});
  }
  auto* state = arena.make<Dict>();
  arena.push(state->entries, {Value::str("module"), parts[0]});
  arena.push(state->entries, {Value::str("constants"), parts[1]});
  arena.push(state->entries, {Value::str("code"), Value::of(code)});
  auto* cls = arena.make<Global>();
  cls->module = "torch.jit";
  cls->name = "ScriptModule";
  auto* module = arena.make<PyObject>();
  module->cls = cls;
  module->args = Value::of(arena.make<Tuple>());
  module->state = Value::of(state);
  return Value::of(module);
}

// The name of each pickle → its value
Value ZipReader::package(const std::vector<Value>& parts) {
  Arena& arena = *document_.arena_;
  auto* all = arena.make<Dict>();
  for (std::size_t i = 0; i < parts.size(); ++i)
    arena.push(all->entries, {Value::str(arena.keep(parts_[i].name)), parts[i]});
  return Value::of(all);
}

// ("reduce_package", id, function, arguments): what the package's own code makes
Value ZipReader::reduced(const Tuple& id) {
  const auto* function = id.items[2].as<Global>();
  if (function == nullptr || id.items[3].as<Tuple>() == nullptr)
    throw Error(ErrorCode::kCorrupt, "a persistent id of torch.package is malformed");
  if (!options_.inert_globals)
    throw Error(ErrorCode::kUnsafe, "the package calls '" + describe(id.items[2]) + "'")
        .with("global", describe(id.items[2]));
  auto* object = document_.arena_->make<PyObject>();
  object->cls = function;
  object->args = id.items[3];
  return Value::of(object);
}

Value ZipReader::load(const Value& persistent_id) {
  const auto* tuple = persistent_id.as<Tuple>();
  if (document_.container_ == Container::kPackage && tuple != nullptr && tuple->items.size() == 4 &&
      tuple->items[0].as_str() == "reduce_package")
    return reduced(*tuple);
  const StorageId id = parse_storage_id(persistent_id, 5, 5, *document_.arena_);
  std::string name(part_->prefix);
  name.append(id.key).append(part_->suffix);
  ZipRecord* record = directory_.find(name);
  if (storages_.empty()) storages_.resize(directory_.records().size());
  Storage*& known = record != nullptr
                        ? storages_[static_cast<std::size_t>(record - directory_.records().data())]
                        : recordless_[{part_->prefix, id.key}];
  if (known != nullptr) {
    if (!is_same_storage(*known, id))
      throw Error(ErrorCode::kCorrupt, "storage '" + std::string(id.key) + "' has two types");
    return Value::of(known);
  }
  const std::uint64_t found = record == nullptr ? 0 : record->size;
  if (found != id.byte_size)
    throw Error(ErrorCode::kCorrupt,
                record == nullptr ? "there is no record '" + name + "' for a storage"
                                  : "record '" + name + "' has " + std::to_string(found) +
                                        " bytes; its storage needs " + std::to_string(id.byte_size))
        .with("record", name);
  auto* storage = document_.arena_->make<Storage>();
  storage->dtype = id.dtype;
  storage->key = id.key;
  storage->location = id.location;
  storage->byte_size = id.byte_size;
  known = storage;
  return Value::of(storage);
}

std::string ZipReader::small_record(ZipRecord& record) {
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(record.size, kSmallRecord)),
                   '\0');
  file_.read_at(record.data_offset, text.data(), text.size());
  return text;
}

void ZipReader::check_version() {
  ZipRecord* record = directory_.find("version");
  if (record == nullptr) record = directory_.find(".data/version");
  if (record == nullptr) return;
  const std::string text = small_record(*record);
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || version < 1)
    throw Error(ErrorCode::kCorrupt, "the archive's version is not a number")
        .with("offset", static_cast<std::int64_t>(record->data_offset));
  if (version > kHighestArchiveVersion)
    throw Error(ErrorCode::kVersion, "archive version " + std::to_string(version) +
                                         " is newer than supported (" +
                                         std::to_string(kHighestArchiveVersion) + ")")
        .with("offset", static_cast<std::int64_t>(record->data_offset));
}

bool ZipReader::is_foreign_byte_order() {
  ZipRecord* record = directory_.find("byteorder");
  if (record == nullptr) return false;
  const std::string order = small_record(*record);
  if (order == "little") return false;
  if (order == "big") return true;
  throw Error(ErrorCode::kCorrupt, "the byte order is neither 'little' nor 'big'")
      .with("offset", static_cast<std::int64_t>(record->data_offset));
}

void ZipReader::place_image(ImageReader& reader) {
  reader.finish();
  const auto& records = directory_.records();
  const std::vector<std::uint32_t> found = reader.checksums();
  const std::vector<bool> wanted = wanted_records();
  for (std::size_t i = 0; i < records.size(); ++i)
    if (wanted[i] && !records[i].has_crc(found[i])) crc_mismatch(file_, records[i]);
  place_storages(reader.image()->data(), reader.image());
}

void ZipReader::map() {
  const WholeFile whole(file_);
  place_storages(whole.data, whole.owner);
}

void ZipReader::place_storages(std::byte* image, const std::shared_ptr<const void>& owner) {
  for (std::size_t i = 0; i < storages_.size(); ++i) {
    if (storages_[i] == nullptr || !storages_[i]->needed) continue;
    storages_[i]->file_offset = directory_.records()[i].data_offset;
    place_storage(*storages_[i], image, owner, file_);
  }
}

}  // namespace sda
