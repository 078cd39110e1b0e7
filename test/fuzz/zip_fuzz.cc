// The zip container alone: its directory, and every record's local header and descriptor.
#include <functional>

#include "checkpoint/container/zip.h"
#include "checkpoint/io/window_reader.h"
#include "input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static sda::fuzz::InputFile input;
  const sda::File file(input.holding(sda::fuzz::text_of(data, size)));
  try {
    sda::ZipDirectory directory(file);
    sda::WindowReader headers(file);
    std::uint64_t end = 0;
    for (sda::ZipRecord& record : directory.records()) {
      sda::check_local_header(record, directory.top_folder(), file.path(), std::ref(headers));
      // Inside the file, in order and disjoint, or it would have been refused.
      if (record.header_offset < end || record.data_offset <= record.header_offset) std::abort();
      end = record.data_offset + record.size;
      if (end > directory.records_end() || directory.records_end() > size) std::abort();
      if (directory.find(record.name) != &record) std::abort();
    }
  } catch (const sda::Error&) {
  }
  try {
    for (const sda::ZipRecord& record : sda::list_archive(file))
      if (record.data_offset > size || record.stored > size - record.data_offset) std::abort();
  } catch (const sda::Error&) {
  }
  return 0;
}
