#include "checkpoint/container/zip.h"

#include <algorithm>
#include <compare>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <tuple>

#include "checkpoint/ambiguity.h"
#include "checkpoint/container/zip_format.h"
#include "checkpoint/io/window_reader.h"
#include "checkpoint/limits.h"

namespace sda {
namespace {

using namespace zip_format;

constexpr std::size_t kMaxComment = 0xFFFF;
constexpr std::size_t kUsualComment = 256;  // torch.save writes none

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));  // zip is little-endian, as are the supported hosts
  return value;
}

[[noreturn]] void fail(ErrorCode code, const std::string& path, std::uint64_t offset,
                       const std::string& what) {
  throw Error(code, "'" + path + "': " + what)
      .with("path", path)
      .with("offset", static_cast<std::int64_t>(offset));
}

// A zip64 extra field. It holds a 64-bit value for each number that is kSeeZip64, in order.
class Zip64Extra {
 public:
  Zip64Extra(const std::byte* extra, std::size_t size) {
    while (size >= 4) {
      const std::size_t id = load<std::uint16_t>(extra);
      const std::size_t length = load<std::uint16_t>(extra + 2);
      extra += 4;
      size -= 4;
      if (length > size) return;  // padding by unusual writers; no zip64 field follows it
      if (id == kZip64Extra) {
        at_ = extra;
        left_ = length;
        return;
      }
      extra += length;
      size -= length;
    }
  }
  bool take(std::uint64_t& value) {
    if (value != kSeeZip64) return true;
    if (left_ < 8) return false;
    value = load<std::uint64_t>(at_);
    at_ += 8;
    left_ -= 8;
    return true;
  }

 private:
  const std::byte* at_ = nullptr;
  std::size_t left_ = 0;
};

// The offset of the end record in `tail`, the last bytes of a file. The search runs backwards. The
// record's comment must end exactly at the end of the file.
std::optional<std::size_t> find_end(std::span<const std::byte> tail, std::size_t max_comment) {
  for (std::size_t back = kEndSize; back <= std::min(tail.size(), kEndSize + max_comment); ++back) {
    const std::byte* at = tail.data() + tail.size() - back;
    if (load<std::uint32_t>(at) == kEndSignature && load<std::uint16_t>(at + 20) == back - kEndSize)
      return tail.size() - back;
  }
  return std::nullopt;
}

// The offset in `tail` of the last signature that an end record could follow. PyTorch's zip library
// (miniz) takes it for the end record, whatever the comment's length says.
std::optional<std::size_t> last_end_signature(std::span<const std::byte> tail) {
  for (std::size_t back = kEndSize; back <= tail.size(); ++back)
    if (load<std::uint32_t>(tail.data() + tail.size() - back) == kEndSignature)
      return tail.size() - back;
  return std::nullopt;
}

// What an archive is that has a record of this name at its top.
std::string others_hint(std::string_view name) {
  if (name.ends_with(".npy")) return "; it is a numpy .npz file";
  if (name == "config.json" || name == "metadata.json" || name == "model.weights.h5")
    return "; it may be a Keras model";
  for (const std::string_view suffix : {".pt", ".pth", ".ckpt"})
    if (name.ends_with(suffix)) return "; extract '" + std::string(name) + "' from it first";
  return "";
}

// Refuses a file in which the zip64 end record is not where the locator, itself at
// `locator_offset`, says.
[[noreturn]] void misplaced_end64(const File& file, std::uint64_t said,
                                  std::uint64_t locator_offset) {
  // In archives one after the other, each counts its offsets from its own first byte.
  const auto has_archive = [&file](std::uint64_t at) {
    std::uint32_t signature = 0;
    if (at > file.size() || file.size() - at < sizeof signature) return false;
    file.read_at(at, reinterpret_cast<char*>(&signature), sizeof signature);
    return signature == kLocalSignature;
  };
  const std::uint64_t shift = locator_offset - kEnd64Size - said;
  if (said < locator_offset - kEnd64Size && has_archive(0) && has_archive(shift))
    fail(ErrorCode::kFormat, file.path(), shift,
         "several torch.save files in one, such as a shard of a distributed checkpoint");
  fail(ErrorCode::kCorrupt, file.path(), locator_offset,
       "the zip64 end record is not where its locator says");
}

std::size_t full_name_size(const ZipRecord& record, std::string_view top_folder) {
  return record.name.size() + (top_folder.empty() ? 0 : top_folder.size() + 1);
}

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The order in which miniz looks names up: it ignores the case of ASCII letters.
std::strong_ordering compare_names(std::string_view a, std::string_view b) {
  const std::size_t shared = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < shared; ++i)
    if (const auto order = ascii_lower(a[i]) <=> ascii_lower(b[i]); order != 0) return order;
  return a.size() <=> b.size();
}

}  // namespace

ZipDirectory::ZipDirectory(const File& file, Archive kind) : kind_(kind) {
  read_end(file);
  read_entries(file);
  check_order(file);
}

ZipRecord* ZipDirectory::find(std::string_view name) noexcept {
  const auto found = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                      [this](std::size_t i, std::string_view wanted) {
                                        return compare_names(records_[i].name, wanted) < 0;
                                      });
  return found == by_name_.end() || records_[*found].name != name ? nullptr : &records_[*found];
}

void ZipDirectory::read_end(const File& file) {
  const std::uint64_t file_size = file.size();
  std::vector<std::byte> tail;
  std::optional<std::size_t> found;
  for (const std::size_t comment : {kUsualComment, kMaxComment}) {
    tail.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(file_size, kEndSize + comment + kLocator64Size + kEnd64Size)));
    file.read_at(file_size - tail.size(), tail.data(), tail.size());
    found = find_end(tail, comment);
    if (found) break;
  }
  // Other bytes may follow the archive, such as a line break that a transfer has added.
  if (!found) {
    found = last_end_signature(tail);
    if (found && load<std::uint16_t>(tail.data() + *found + 20) > tail.size() - *found - kEndSize)
      found.reset();
  }
  if (!found)
    fail(ErrorCode::kCorrupt, file.path(), file_size,
         "a zip archive without an end record; the file is truncated");

  const std::size_t end = *found;
  if (const std::size_t last = *last_end_signature(tail); last != end)
    refuse_ambiguous(ambiguity::kEndRecord,
                     "the comment of the zip archive holds another end record",
                     file_size - tail.size() + last);
  const std::byte* at = tail.data() + end;
  const std::uint64_t end_offset = file_size - tail.size() + end;
  std::uint32_t disks = load<std::uint16_t>(at + 4) | load<std::uint16_t>(at + 6);
  const std::uint16_t entries_here = load<std::uint16_t>(at + 8);
  entry_count_ = load<std::uint16_t>(at + 10);
  directory_size_ = load<std::uint32_t>(at + 12);
  records_end_ = load<std::uint32_t>(at + 16);
  if (entries_here != entry_count_) disks = 1;
  std::uint64_t directory_limit = end_offset;

  if (end >= kLocator64Size && load<std::uint32_t>(at - kLocator64Size) == kLocator64Signature) {
    const std::byte* locator = at - kLocator64Size;
    const std::uint64_t end64_offset = load<std::uint64_t>(locator + 8);
    if (end < kLocator64Size + kEnd64Size ||
        end64_offset != end_offset - kLocator64Size - kEnd64Size ||
        load<std::uint32_t>(locator - kEnd64Size) != kEnd64Signature)
      misplaced_end64(file, end64_offset, end_offset - kLocator64Size);
    const std::byte* end64 = locator - kEnd64Size;
    const std::uint64_t entries = load<std::uint64_t>(end64 + 32);
    const std::uint64_t size = load<std::uint64_t>(end64 + 40);
    const std::uint64_t offset = load<std::uint64_t>(end64 + 48);
    // The 32-bit record has the same numbers, or the placeholders that refer to zip64.
    if ((entry_count_ != kSeeZip64Count && entry_count_ != entries) ||
        (directory_size_ != kSeeZip64 && directory_size_ != size) ||
        (records_end_ != kSeeZip64 && records_end_ != offset) ||
        load<std::uint64_t>(end64 + 24) != entries || load<std::uint64_t>(end64 + 4) != 44)
      fail(ErrorCode::kCorrupt, file.path(), end64_offset,
           "the two end records of the zip archive disagree");
    disks |= load<std::uint32_t>(end64 + 16) | load<std::uint32_t>(end64 + 20) |
             load<std::uint32_t>(locator + 4);
    entry_count_ = entries;
    directory_size_ = size;
    records_end_ = offset;
    directory_limit = end64_offset;
  }
  if (disks != 0)
    fail(ErrorCode::kFormat, file.path(), end_offset, "a zip archive in several parts");
  if (records_end_ > directory_limit || directory_limit - records_end_ != directory_size_)
    fail(ErrorCode::kCorrupt, file.path(), end_offset,
         "the central directory is not where the end record says");
  if (entry_count_ > limits::kMaxRecords || directory_size_ > limits::kMaxDirectoryBytes)
    fail(ErrorCode::kLimit, file.path(), end_offset,
         std::to_string(entry_count_) + " records in one archive");
  if (entry_count_ * kCentralSize > directory_size_)
    fail(ErrorCode::kCorrupt, file.path(), end_offset,
         "the central directory is too small for its " + std::to_string(entry_count_) + " entries");
}

void ZipDirectory::read_entries(const File& file) {
  if (directory_size_ > limits::kAtOnceBytes) file.before_waiting();
  std::vector<std::byte> directory(static_cast<std::size_t>(directory_size_));
  file.read_at(records_end_, directory.data(), directory.size());
  records_.reserve(static_cast<std::size_t>(entry_count_));

  std::size_t at = 0;
  for (std::uint64_t i = 0; i < entry_count_; ++i) {
    const std::uint64_t entry_offset = records_end_ + at;
    const std::byte* entry = directory.data() + at;
    if (directory.size() - at < kCentralSize || load<std::uint32_t>(entry) != kCentralSignature)
      fail(ErrorCode::kCorrupt, file.path(), entry_offset, "a damaged central directory entry");
    const std::size_t name_size = load<std::uint16_t>(entry + 28);
    const std::size_t extra_size = load<std::uint16_t>(entry + 30);
    const std::size_t comment_size = load<std::uint16_t>(entry + 32);
    if (directory.size() - at - kCentralSize < name_size + extra_size + comment_size)
      fail(ErrorCode::kCorrupt, file.path(), entry_offset,
           "a central directory entry that reaches past the directory's end");
    const std::string_view full_name(reinterpret_cast<const char*>(entry + kCentralSize),
                                     name_size);

    ZipRecord record;
    record.flags = load<std::uint16_t>(entry + 8);
    record.method = load<std::uint16_t>(entry + 10);
    record.crc = load<std::uint32_t>(entry + 16);
    record.stored = load<std::uint32_t>(entry + 20);
    record.size = load<std::uint32_t>(entry + 24);
    record.header_offset = load<std::uint32_t>(entry + 42);
    record.data_offset = 0;
    Zip64Extra extra(entry + kCentralSize + name_size, extra_size);
    if (!extra.take(record.size) || !extra.take(record.stored) || !extra.take(record.header_offset))
      fail(ErrorCode::kCorrupt, file.path(), entry_offset,
           "a zip64 entry without its 64-bit sizes");

    const auto shown = [&] { return std::string(full_name); };
    if (record.flags & (kFlagEncrypted | kFlagStrongEncryption | kFlagMaskedHeaders))
      fail(ErrorCode::kFormat, file.path(), entry_offset, "record '" + shown() + "' is encrypted");
    const bool readable =
        record.method == 0 || (record.method == kDeflated && kind_ == Archive::kAny);
    if (!readable || (record.flags & kFlagPatch)) {
      Error error(ErrorCode::kFormat,
                  "'" + file.path() + "': record '" + shown() + "' is compressed (method " +
                      std::to_string(record.method) + "); torch.save stores records as they are");
      error.with("path", file.path()).with("offset", static_cast<std::int64_t>(entry_offset));
      if (record.method == kDeflated) error.with("container", std::string("deflated"));
      throw error;
    }
    if (record.method == 0 && record.stored != record.size)
      fail(ErrorCode::kCorrupt, file.path(), entry_offset,
           "record '" + shown() + "' is stored with two different sizes");
    if (load<std::uint16_t>(entry + 34) != 0)
      fail(ErrorCode::kFormat, file.path(), entry_offset, "a zip archive in several parts");
    // miniz extracts nothing for what it takes for a directory, and PyTorch then reads what was in
    // that memory before.
    const bool has_folder_name = full_name.ends_with('/');
    if ((load<std::uint32_t>(entry + 38) & kDirectoryAttribute || has_folder_name) &&
        !(has_folder_name && record.size == 0))
      refuse_ambiguous(ambiguity::kDirectoryAttribute,
                       "record '" + shown() + "' is marked as a directory", entry_offset);
    if (record.stored > records_end_ || record.header_offset > records_end_ - record.stored)
      fail(ErrorCode::kCorrupt, file.path(), entry_offset,
           "record '" + shown() + "' reaches past the end of the records");

    if (kind_ == Archive::kTorchSave) {
      if (i == 0) top_folder_ = full_name.substr(0, full_name.find('/'));
      check_top_folder(full_name, file, entry_offset);
      record.name = full_name.substr(top_folder_.size() + 1);
    } else {
      record.name = full_name;
    }
    records_.push_back(std::move(record));
    at += kCentralSize + name_size + extra_size + comment_size;
  }
  if (at != directory.size())
    fail(ErrorCode::kCorrupt, file.path(), records_end_ + at,
         "the central directory has bytes that belong to no entry");
}

void ZipDirectory::check_top_folder(std::string_view name, const File& file,
                                    std::uint64_t entry_offset) const {
  const std::size_t slash = name.find('/');
  const bool in_folder =
      slash != std::string_view::npos && slash != 0 && name.find('\0') == std::string_view::npos;
  if (in_folder && name.substr(0, slash) == top_folder_) return;
  throw Error(
      ErrorCode::kFormat,
      "'" + file.path() + "': a zip archive, but not one of torch.save: " +
          (in_folder ? "it has several top folders"
                     : "'" + std::string(name) + "' is not in a top folder" + others_hint(name)))
      .with("path", file.path())
      .with("offset", static_cast<std::int64_t>(entry_offset))
      .with("container", std::string("zip"));
}

void ZipDirectory::check_order(const File& file) {
  std::sort(records_.begin(), records_.end(), [](const ZipRecord& a, const ZipRecord& b) {
    return a.header_offset < b.header_offset;
  });
  for (std::size_t i = 0; i < records_.size(); ++i) {
    ZipRecord& record = records_[i];
    record.limit = i + 1 < records_.size() ? records_[i + 1].header_offset : records_end_;
    // Only the local header tells where a record ends exactly. This is a lower bound.
    const std::uint64_t least = kLocalSize + full_name_size(record, top_folder_) + record.stored;
    if (record.limit - record.header_offset < least)
      fail(ErrorCode::kCorrupt, file.path(), record.header_offset,
           "record '" + record.name + "' overlaps the one after it");
  }
  by_name_.resize(records_.size());
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::sort(by_name_.begin(), by_name_.end(), [this](std::size_t a, std::size_t b) {
    return compare_names(records_[a].name, records_[b].name) < 0;
  });
  const auto twice =
      std::adjacent_find(by_name_.begin(), by_name_.end(), [this](std::size_t a, std::size_t b) {
        return compare_names(records_[a].name, records_[b].name) == 0;
      });
  if (twice == by_name_.end()) return;
  const auto& [first, second] = std::tie(records_[*twice], records_[*std::next(twice)]);
  refuse_ambiguous(ambiguity::kRecordName,
                   first.name == second.name ? "two records are called '" + first.name + "'"
                                             : "the records '" + first.name + "' and '" +
                                                   second.name + "' differ only in case",
                   first.header_offset);
}

void check_local_header(ZipRecord& record, std::string_view top_folder, const std::string& path,
                        const ByteReader& read) {
  const auto disagree = [&](std::uint64_t offset, const char* about) {
    fail(ErrorCode::kCorrupt, path, offset,
         "record '" + record.name + "': " + about + " and central directory disagree");
  };
  std::byte header[kLocalSize];
  read(record.header_offset, header, sizeof header);
  if (load<std::uint32_t>(header) != kLocalSignature)
    fail(ErrorCode::kCorrupt, path, record.header_offset,
         "record '" + record.name + "' has no local header where the central directory says");
  const std::size_t name_size = load<std::uint16_t>(header + 26);
  const std::size_t extra_size = load<std::uint16_t>(header + 28);
  const std::size_t full_size = full_name_size(record, top_folder);
  if (name_size != full_size || load<std::uint16_t>(header + 6) != record.flags ||
      load<std::uint16_t>(header + 8) != record.method)
    disagree(record.header_offset, "local header");

  const std::uint64_t data_offset = record.header_offset + kLocalSize + name_size + extra_size;
  if (data_offset > record.limit || record.limit - data_offset < record.stored)
    fail(ErrorCode::kCorrupt, path, record.header_offset,
         "record '" + record.name + "' overlaps the one after it");
  const std::size_t rest_size = name_size + extra_size;
  std::byte usual_rest[256];  // usually enough: the extra field pads to a multiple of 64
  const auto large_rest =
      rest_size > sizeof usual_rest ? std::make_unique<std::byte[]>(rest_size) : nullptr;
  std::byte* const rest = large_rest ? large_rest.get() : usual_rest;
  read(record.header_offset + kLocalSize, rest, rest_size);
  const std::string_view full(reinterpret_cast<const char*>(rest), name_size);
  const std::string_view folder = full.substr(0, full.size() - record.name.size());
  const bool is_same_folder =
      top_folder.empty()
          ? folder.empty()
          : folder.ends_with('/') && folder.substr(0, folder.size() - 1) == top_folder;
  if (!is_same_folder || !full.ends_with(record.name))
    disagree(record.header_offset, "local header");

  std::uint64_t stored = load<std::uint32_t>(header + 18);
  std::uint64_t size = load<std::uint32_t>(header + 22);
  Zip64Extra extra(rest + name_size, extra_size);
  const bool complete = extra.take(size) && extra.take(stored);
  const std::uint32_t crc = load<std::uint32_t>(header + 14);
  if (record.flags & kFlagDescriptor) {
    // The local header may leave CRC and sizes at zero. If it states them, they must be right.
    const bool blank = crc == 0 && stored == 0 && size == 0;
    if (!blank && (crc != record.crc || stored != record.stored || size != record.size))
      disagree(record.header_offset, "local header");
    const std::uint64_t at = data_offset + record.stored;
    const std::size_t room =
        static_cast<std::size_t>(std::min<std::uint64_t>(record.limit - at, 24));
    std::byte descriptor[24];
    read(at, descriptor, room);
    const bool is_short = room >= 16 && load<std::uint32_t>(descriptor) == kDescriptorSignature &&
                          load<std::uint32_t>(descriptor + 4) == record.crc &&
                          load<std::uint32_t>(descriptor + 8) == record.stored &&
                          load<std::uint32_t>(descriptor + 12) == record.size;
    const bool is_long = room >= 24 && load<std::uint32_t>(descriptor) == kDescriptorSignature &&
                         load<std::uint32_t>(descriptor + 4) == record.crc &&
                         load<std::uint64_t>(descriptor + 8) == record.stored &&
                         load<std::uint64_t>(descriptor + 16) == record.size;
    if (!is_short && !is_long) disagree(at, "data descriptor");
  } else if (!complete || crc != record.crc || stored != record.stored || size != record.size) {
    disagree(record.header_offset, "local header");
  }
  record.data_offset = data_offset;
}

std::vector<ZipRecord> list_archive(const File& file) {
  ZipDirectory directory(file, Archive::kAny);
  if (directory.records().size() > limits::kMaxListedRecords)
    fail(ErrorCode::kLimit, file.path(), directory.records_end(),
         std::to_string(directory.records().size()) + " records in one archive");
  WindowReader headers(file);
  for (ZipRecord& record : directory.records())
    check_local_header(record, {}, file.path(), std::ref(headers));
  return directory.records();
}

}  // namespace sda
