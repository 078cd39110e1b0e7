#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <charconv>
#include <exception>
#include <system_error>
#include <thread>

#include "checkpoint/crc32.h"
#include "checkpoint/limits.h"
#include "checkpoint/reader.h"
#include "checkpoint/window_reader.h"

namespace sda {
namespace {

// Two threads' pieces are still in the second-level cache when they are checksummed.
constexpr std::size_t kPiece = std::size_t{1} << 19;
// From here on a second thread pays for itself.
constexpr std::uint64_t kParallelFrom = std::uint64_t{4} << 20;
// What PyTorch's own reader accepts.
constexpr int kHighestArchiveVersion = 10;
constexpr std::size_t kSmallRecord = 1024;

struct Piece {
  std::size_t record;
  std::uint64_t begin, end;  // in the file
  std::uint32_t crc;
};

[[noreturn]] void crc_mismatch(const File& file, const ZipRecord& record) {
  throw Error(ErrorCode::kCorrupt,
              "'" + file.path() + "': record '" + record.name + "' is damaged (CRC-32 mismatch)")
      .with("path", file.path())
      .with("offset", static_cast<std::int64_t>(record.data_offset))
      .with("record", record.name);
}

// Keeps `thread` off the processor that we run on. The scheduler sometimes queues a new thread
// behind the one that made it, although another processor is idle, and then it starts when all is
// done.
void run_elsewhere([[maybe_unused]] std::thread& thread) {
#if defined(__linux__)
  cpu_set_t allowed;
  const int here = ::sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE || ::sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return;
  CPU_CLR(static_cast<std::size_t>(here), &allowed);
  if (CPU_COUNT(&allowed) > 0)
    ::pthread_setaffinity_np(thread.native_handle(), sizeof allowed, &allowed);
#endif
}

// Reads all pieces into `image` at their file offsets and checksums them on the way.
void read_pieces(const File& file, std::vector<Piece>& pieces, std::byte* image,
                 const CancelToken* cancel) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t i; !failed && (i = next.fetch_add(1)) < pieces.size();) {
      if (cancel != nullptr) cancel->throw_if_cancelled();
      Piece& piece = pieces[i];
      const auto size = static_cast<std::size_t>(piece.end - piece.begin);
      file.read_at(piece.begin, image + piece.begin, size);
      piece.crc = crc32(0, image + piece.begin, size);
    }
  };
  std::thread helper;
  if (file.size() >= kParallelFrom && std::thread::hardware_concurrency() > 1) {
    try {
      helper = std::thread([&] {
        try {
          work();
        } catch (...) {
          if (!failed.exchange(true)) failure = std::current_exception();
        }
      });
      run_elsewhere(helper);
    } catch (const std::system_error&) {
      // No thread to be had: one is enough.
    }
  }
  try {
    work();
  } catch (...) {
    failed = true;
    if (helper.joinable()) helper.join();
    throw;
  }
  if (helper.joinable()) helper.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

ZipReader::ZipReader(const File& file, const OpenOptions& options, Document& document)
    : file_(file), options_(options), document_(document), directory_(file) {}

void ZipReader::read() {
  check_kind();
  read_pickle();
  if (options_.hold == Hold::kNothing) return;
  WindowReader headers(file_);
  for (ZipRecord& record : directory_.records())
    check_local_header(record, directory_.top_folder(), file_.path(), std::ref(headers));
  check_version();
  const bool swap = is_foreign_byte_order();
  if (options_.hold == Hold::kMemory)
    load_into_memory();
  else
    map();
  document_.finish_tensors(swap, file_.waiting());
}

void ZipReader::check_kind() {
  const auto refuse = [&](const char* what) {
    throw Error(ErrorCode::kFormat, "'" + file_.path() + "' is " + what)
        .with("path", file_.path())
        .with("offset", std::int64_t{0});
  };
  if (directory_.find("data.pkl") == nullptr)
    refuse("a zip archive, but not one of torch.save: it has no data.pkl");
  if (directory_.find("constants.pkl") != nullptr)
    refuse("a TorchScript program, not data; save the model's state dict instead");
}

void ZipReader::read_pickle() {
  ZipRecord& record = *directory_.find("data.pkl");
  if (record.size > limits::kMaxPickleBytes)
    throw Error(ErrorCode::kLimit, "a pickle of " + std::to_string(record.size) + " bytes")
        .with("offset", static_cast<std::int64_t>(record.header_offset));
  WindowReader headers(file_);
  check_local_header(record, directory_.top_folder(), file_.path(), std::ref(headers));
  const auto size = static_cast<std::size_t>(record.size);
  if (file_.waiting() == Waiting::kNever && size > limits::kAtOnceBytes) throw WouldWait();
  document_.pickle_.reset(new char[size]);
  file_.read_at(record.data_offset, document_.pickle_.get(), size);
  if (!directory_.without_crcs() && crc32(0, document_.pickle_.get(), size) != record.crc)
    crc_mismatch(file_, record);

  document_.allocate_arena(size, file_.waiting());
  PickleMachine machine({document_.pickle_.get(), size}, record.data_offset, *document_.arena_,
                        this, {options_.inert_globals, &document_.globals_});
  document_.root_ = machine.run();
}

Value ZipReader::load(const Value& persistent_id) {
  const StorageId id = parse_storage_id(persistent_id, 5, 5);
  const std::string name = "data/" + std::string(id.key);
  ZipRecord* record = directory_.find(name);
  if (storages_.empty()) storages_.resize(directory_.records().size());
  Storage*& known = record != nullptr
                        ? storages_[static_cast<std::size_t>(record - directory_.records().data())]
                        : recordless_[id.key];
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

void ZipReader::load_into_memory() {
  auto image = std::make_shared<PageBuffer>(static_cast<std::size_t>(directory_.records_end()));
  auto& records = directory_.records();
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::uint64_t end = records[i].data_offset + records[i].size;
    for (std::uint64_t at = records[i].data_offset; at < end; at += kPiece)
      pieces.push_back({i, at, std::min<std::uint64_t>(at + kPiece, end), 0});
  }
  read_pieces(file_, pieces, image->data(), options_.cancel);
  if (!directory_.without_crcs()) {
    std::size_t piece = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      std::uint32_t crc = 0;
      for (; piece < pieces.size() && pieces[piece].record == i; ++piece)
        crc = crc32_combine(crc, pieces[piece].crc, pieces[piece].end - pieces[piece].begin);
      if (crc != records[i].crc) crc_mismatch(file_, records[i]);
    }
  }
  std::byte* data = image->data();
  place_storages(data, std::move(image));
}

void ZipReader::map() {
  auto mapping = std::make_shared<MappedFile>(file_);
  std::byte* data = mapping->data();
  place_storages(data, std::move(mapping));
}

void ZipReader::place_storages(std::byte* image, const std::shared_ptr<const void>& owner) {
  for (std::size_t i = 0; i < storages_.size(); ++i) {
    if (storages_[i] == nullptr) continue;
    storages_[i]->file_offset = directory_.records()[i].data_offset;
    place_storage(*storages_[i], image, owner, file_.waiting());
  }
}

}  // namespace sda
