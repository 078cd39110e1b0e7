#include "checkpoint/container/zip_writer.h"

#include <algorithm>
#include <cstdio>
#include <type_traits>

#include "checkpoint/container/zip_format.h"
#include "checkpoint/io/crc32.h"

namespace sda {
namespace {

using namespace zip_format;

constexpr std::uint64_t kAlignment = 64;

constexpr std::uint16_t kPaddingExtra = 0x4246;  // "FB"
constexpr std::uint16_t kMadeBy = 0x031E;        // Unix, version 3.0
constexpr std::uint16_t kZip64Version = 45;

class Fields {
 public:
  template <typename... T>
  Fields& add(T... numbers) {
    (append(numbers), ...);
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  template <typename T>
  void append(T number) {
    static_assert(std::is_unsigned_v<T>);
    text_.append(reinterpret_cast<const char*>(&number),
                 sizeof number);  // zip is little-endian, as are the supported hosts
  }
  std::string text_;
};

std::uint16_t u16(std::uint64_t number) { return static_cast<std::uint16_t>(number); }
std::uint32_t u32(std::uint64_t number) { return static_cast<std::uint32_t>(number); }
std::uint32_t u32_or_zip64(std::uint64_t number) {
  return number >= kSeeZip64 ? kSeeZip64 : static_cast<std::uint32_t>(number);
}

}  // namespace

bool ZipWriter::Record::is_zip64() const noexcept {
  return size >= kSeeZip64 || offset >= kSeeZip64;
}

std::string ZipWriter::zip64_extra(const Record& record) {
  if (!record.is_zip64()) return {};
  Fields numbers;
  if (record.size >= kSeeZip64) numbers.add(record.size, record.size);
  if (record.offset >= kSeeZip64) numbers.add(record.offset);
  Fields extra;
  extra.add(kZip64Extra, u16(numbers.text().size()));
  return extra.text() + numbers.text();
}

void ZipWriter::begin(std::string_view name, std::uint64_t size) {
  Record& record = records_.emplace_back();
  record.name = top_folder_ + "/" + std::string(name);
  record.offset = out_.position();
  record.size = size;
  record.crc = 0;
  record.flags = kFlagUtf8 | (size > 0 ? kFlagDescriptor : 0);

  std::string extra = zip64_extra(record);
  constexpr std::uint64_t kExtraHeader = 4;
  const std::uint64_t start =
      record.offset + kLocalSize + record.name.size() + extra.size() + kExtraHeader;
  const std::uint64_t padding = (kAlignment - start % kAlignment) % kAlignment;
  extra += Fields().add(kPaddingExtra, u16(padding)).text();
  extra.append(padding, 'Z');

  // Version, time, CRC and sizes stay zero here. The data descriptor and
  // the central directory state CRC and sizes.
  out_.write(Fields()
                 .add(kLocalSignature, u16(0), record.flags, u16(0), u32(0), u32(0), u32(0), u32(0),
                      u16(record.name.size()), u16(extra.size()))
                 .text());
  out_.write(record.name);
  out_.write(extra);
}

void ZipWriter::write(const void* data, std::size_t size) {
  records_.back().crc = crc32(records_.back().crc, data, size);
  out_.write(data, size);
}

void ZipWriter::end() {
  const Record& record = records_.back();
  if (!(record.flags & kFlagDescriptor)) return;
  Fields descriptor;
  descriptor.add(kDescriptorSignature, record.crc);
  if (record.is_zip64())
    descriptor.add(record.size, record.size);
  else
    descriptor.add(u32(record.size), u32(record.size));
  out_.write(descriptor.text());
}

void ZipWriter::add(std::string_view name, std::string_view content) {
  begin(name, content.size());
  write(content.data(), content.size());
  end();
}

void ZipWriter::finish() {
  const std::uint64_t start = out_.position();
  for (const Record& record : records_) {
    const std::string extra = zip64_extra(record);
    out_.write(Fields()
                   .add(kCentralSignature, u16(0), u16(0), record.flags, u16(0), u32(0), record.crc,
                        u32_or_zip64(record.size), u32_or_zip64(record.size),
                        u16(record.name.size()), u16(extra.size()), u16(0), u16(0), u16(0), u32(0),
                        u32_or_zip64(record.offset))
                   .text());
    out_.write(record.name);
    out_.write(extra);
  }
  const std::uint64_t end = out_.position();
  const std::uint64_t count = records_.size();
  constexpr std::uint64_t kEnd64Rest = kEnd64Size - 12;  // without the signature and this number
  out_.write(Fields()
                 .add(kEnd64Signature, kEnd64Rest, kMadeBy, kZip64Version, u32(0), u32(0), count,
                      count, end - start, start)
                 .text());
  out_.write(Fields().add(kLocator64Signature, u32(0), end, u32(1)).text());
  const std::uint16_t short_count = count >= kSeeZip64Count ? kSeeZip64Count : u16(count);
  out_.write(Fields()
                 .add(kEndSignature, u16(0), u16(0), short_count, short_count,
                      u32_or_zip64(end - start), u32_or_zip64(start), u16(0))
                 .text());
}

std::string ZipWriter::serialization_id() const {
  // FNV-1a, once over the names and once over the CRCs.
  constexpr std::uint64_t kOffset = 0xcbf29ce484222325, kPrime = 0x100000001b3;
  std::uint64_t names = kOffset, crcs = kOffset;
  for (const Record& record : records_) {
    for (const char c : record.name.substr(top_folder_.size()))
      names = (names ^ static_cast<unsigned char>(c)) * kPrime;
    for (int shift = 0; shift < 32; shift += 8)
      crcs = (crcs ^ ((record.crc >> shift) & 0xFF)) * kPrime;
  }
  char digits[41];
  std::snprintf(digits, sizeof digits, "%020llu%020llu", static_cast<unsigned long long>(names),
                static_cast<unsigned long long>(crcs));
  return digits;
}

}  // namespace sda
