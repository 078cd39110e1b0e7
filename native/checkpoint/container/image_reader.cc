#include "checkpoint/container/image_reader.h"

#include <algorithm>
#include <system_error>

#include "checkpoint/io/crc32.h"
#include "checkpoint/memory_size.h"
#include "os/processors.h"

namespace sda {
namespace {

// Small enough for the second-level cache: a piece is still in it when its checksum is computed.
constexpr std::size_t kPiece = std::size_t{1} << 18;
// The file size from which a second thread is worth its cost.
constexpr std::uint64_t kParallelFrom = std::uint64_t{4} << 20;

bool several_processors() {
  static const bool several = os::available_processors() > 1;
  return several;
}

}  // namespace

ImageReader::ImageReader(const File& file, const std::vector<ZipRecord>& records,
                         std::uint64_t records_end, const std::vector<bool>& wanted,
                         const CancelToken* cancel)
    : file_(file),
      records_(records),
      cancel_(cancel),
      in_place_(file.content() != nullptr),
      image_(in_place_ ? file.content() : std::make_shared<PageBuffer>(memory_size(records_end))) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!wanted[i]) continue;
    total += records[i].size;
    const std::uint64_t end = records[i].data_offset + records[i].size;
    for (std::uint64_t at = records[i].data_offset; at < end; at += kPiece)
      pieces_.push_back({i, at, std::min<std::uint64_t>(at + kPiece, end), 0});
  }
  if (total >= kParallelFrom && several_processors()) start_helper();
}

ImageReader::~ImageReader() {
  stopped_ = true;
  if (helper_.joinable()) helper_.join();
}

void ImageReader::start_helper() {
  try {
    helper_ = std::thread([this] {
      try {
        work();
      } catch (...) {
        failure_ = std::current_exception();
        stopped_ = true;
      }
    });
    os::keep_off_this_processor(helper_);
  } catch (const std::system_error&) {
    // Without a second thread, finish() does all the work.
  }
}

void ImageReader::work() {
  for (std::size_t i; !stopped_ && (i = next_.fetch_add(1)) < pieces_.size();) {
    if (cancel_ != nullptr) cancel_->throw_if_cancelled();
    Piece& piece = pieces_[i];
    const auto size = static_cast<std::size_t>(piece.end - piece.begin);
    if (!in_place_) file_.read_at(piece.begin, image_->data() + piece.begin, size);
    piece.crc = crc32(0, image_->data() + piece.begin, size);
  }
}

void ImageReader::finish() {
  work();
  if (helper_.joinable()) helper_.join();
  if (failure_) std::rethrow_exception(failure_);
}

std::vector<std::uint32_t> ImageReader::checksums() const {
  std::vector<std::uint32_t> result(records_.size(), 0);
  for (const Piece& piece : pieces_)
    result[piece.record] = crc32_combine(result[piece.record], piece.crc, piece.end - piece.begin);
  return result;
}

}  // namespace sda
