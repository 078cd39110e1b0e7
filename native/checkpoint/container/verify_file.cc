#include <algorithm>
#include <functional>

#include "checkpoint/checkpoint.h"
#include "checkpoint/container/reader.h"
#include "checkpoint/io/crc32.h"
#include "checkpoint/io/window_reader.h"
#include "checkpoint/limits.h"

namespace sda {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

std::uint32_t checksum(const File& file, const ZipRecord& record, std::vector<std::byte>& buffer,
                       const CancelToken* cancel) {
  std::uint32_t crc = 0;
  for (std::uint64_t done = 0; done < record.size;) {
    if (cancel != nullptr) cancel->throw_if_cancelled();
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, record.size - done));
    file.read_at(record.data_offset + done, buffer.data(), size);
    crc = crc32(crc, buffer.data(), size);
    done += size;
    if (cancel != nullptr) cancel->advance(size);
  }
  return crc;
}

}  // namespace

FileReport verify_file(const std::string& path, const CancelToken* cancel) {
  const File file(path);
  FileReport report;
  report.bytes = file.size();
  std::uint64_t more = 0;
  // A problem of the file's content goes into the report. An error of the system is thrown.
  const auto checked = [&](auto&& check) {
    try {
      check();
      return true;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kIo || error.code() == ErrorCode::kNotFound) throw;
      if (report.problems.size() < limits::kMaxProblems)
        report.problems.push_back(error.message());
      else
        ++more;
      return false;
    }
  };

  bool zip = false;
  if (!checked([&] { zip = sniff(file, false) == FileKind::kZip; })) return report;
  if (zip) {
    const bool has_directory = checked([&] {
      ZipDirectory directory(file);
      report.records = directory.records().size();
      // A record is never larger than the file, so neither is the buffer.
      std::vector<std::byte> buffer(
          static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, report.bytes)));
      WindowReader headers(file);
      for (ZipRecord& record : directory.records()) {
        checked([&] {
          check_local_header(record, directory.top_folder(), path, std::ref(headers));
          if (!record.has_crc(checksum(file, record, buffer, cancel)))
            throw Error(ErrorCode::kCorrupt, "'" + path + "': record '" + record.name +
                                                 "' is damaged (CRC-32 mismatch)");
        });
      }
    });
    if (!has_directory) return report;
  }
  checked([&] {
    OpenOptions options;
    options.hold = Hold::kNothing;
    options.cancel = cancel;
    const auto document = Document::open(path, options);
    if (!zip) document->arena().for_each<Storage>([&](const Storage&) { ++report.records; });
  });
  // Both passes report a damaged data.pkl. The second report is the last problem; it is removed.
  auto& problems = report.problems;
  if (!problems.empty() &&
      std::find(problems.begin(), problems.end() - 1, problems.back()) != problems.end() - 1)
    problems.pop_back();
  if (more > 0) problems.push_back("and " + std::to_string(more) + " more problems");
  return report;
}

}  // namespace sda
