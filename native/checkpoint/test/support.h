// Files, archives and pickles for the tests of this folder.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/error.h"
#include "checkpoint/io/crc32.h"
#include "os/file.h"
#include "os/process.h"

namespace sda::test {

using namespace std::string_literals;
using namespace std::string_view_literals;

// "ERR_SDA_…" for a thrown Error, "cancelled" for Cancelled, "" when `f` returns.
template <typename F>
std::string code_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return std::string(code_name(error.code()));
  } catch (const Cancelled&) {
    return "cancelled";
  }
  return "";
}

// A copy in memory of exactly its size: AddressSanitizer reports a read beyond its end.
class ExactCopy {
 public:
  explicit ExactCopy(std::string_view bytes) : bytes_(new char[bytes.size()]), size_(bytes.size()) {
    std::memcpy(bytes_.get(), bytes.data(), bytes.size());
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

// The bytes of a number, little-endian as the hosts that this project supports.
template <typename T>
std::string little(T number) {
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

// A file in the temporary folder; the destructor removes it.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    static int count = 0;
    const std::string name =
        "sda-checkpoint-test-" + os::process_tag() + "-" + std::to_string(++count);
    path_ = (std::filesystem::temp_directory_path() / name).string();
    if (!(std::ofstream(path_, std::ios::binary) << content))
      throw std::runtime_error("cannot write " + path_);
  }
  ~TemporaryFile() { os::remove_file(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct ZipEntry {
  std::string name, data;
};

// An archive of stored entries, without data descriptors or zip64 records.
inline std::string zip(const std::vector<ZipEntry>& entries, std::size_t alignment = 64) {
  std::string out, directory;
  for (const ZipEntry& entry : entries) {
    const std::uint32_t crc = crc32(0, entry.data.data(), entry.data.size());
    const auto size = static_cast<std::uint32_t>(entry.data.size());
    const std::size_t offset = out.size();
    const std::size_t unpadded = offset + 30 + entry.name.size();
    const std::size_t padding = (alignment - unpadded % alignment) % alignment;
    const std::string common = little(std::uint16_t{0}) + little(std::uint16_t{0}) +
                               little(std::uint32_t{0}) + little(crc) + little(size) +
                               little(size) + little(static_cast<std::uint16_t>(entry.name.size()));
    out += "PK\3\4"s + little(std::uint16_t{0}) + common +
           little(static_cast<std::uint16_t>(padding)) + entry.name + std::string(padding, '\0') +
           entry.data;
    directory += "PK\1\2"s + little(std::uint32_t{0}) + common + std::string(12, '\0') +
                 little(static_cast<std::uint32_t>(offset)) + entry.name;
  }
  const auto count = static_cast<std::uint16_t>(entries.size());
  return out + directory + "PK\5\6"s + little(std::uint32_t{0}) + little(count) + little(count) +
         little(static_cast<std::uint32_t>(directory.size())) +
         little(static_cast<std::uint32_t>(out.size())) + little(std::uint16_t{0});
}

// The opcodes that push a string.
inline std::string text(std::string_view value) {
  return "X"s + little(static_cast<std::uint32_t>(value.size())) + std::string(value);
}

// The opcodes that push storage "0" of `count` floats.
inline std::string storage(int count, bool legacy) {
  return "("s + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K" +
         static_cast<char>(count) + (legacy ? "N" : "") + "tQ";
}

// {"weights": {"a": float32 [2, 2] transposed, "b": the four floats}, "name": "n"}
inline std::string model_pickle(bool legacy) {
  const auto tensor = [&](const std::string& source, const std::string& layout) {
    return "ctorch._utils\n_rebuild_tensor_v2\n(" + source + "K" + '\0' + layout + "\x89}tR";
  };
  return "\x80\2}(" + text("weights") + "}(" + text("a") +
         tensor(storage(4, legacy), "K\2K\2\x86K\1K\2\x86") + text("b") +
         tensor(storage(4, legacy), "K\4\x85K\1\x85") + "u" + text("name") + text("n") + "u.";
}

// What the model's only storage holds.
inline constexpr float kFloats[] = {1, 2, 3, 4};

inline std::string float_bytes() {
  return {reinterpret_cast<const char*>(kFloats), sizeof kFloats};
}

inline std::string model_zip(std::size_t alignment = 64) {
  return zip({{"m/data.pkl", model_pickle(false)},
              {"m/byteorder", "little"},
              {"m/data/0", float_bytes()},
              {"m/version", "3\n"}},
             alignment);
}

inline std::string model_legacy() {
  const std::string magic = "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  return magic + "\x80\2M\xe9\3." + "\x80\2}" + text("little_endian") + "\x88s." +
         model_pickle(true) + "\x80\2](" + text("0") + "e." + little(std::int64_t{4}) +
         float_bytes();
}

}  // namespace sda::test
