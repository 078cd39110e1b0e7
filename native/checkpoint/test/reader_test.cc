// The reader's parts by themselves, and what a document keeps alive. Its rules on files are tested
// through Node, where files are easier to make; these run under the sanitizers with leaks checked.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/error.h"
#include "checkpoint/io/crc32.h"
#include "checkpoint/pickle/pickle.h"
#include "checkpoint/pickle/utf8.h"
#include "checkpoint/tensor/half.h"
#include "checkpoint/tensor/strided.h"

namespace sda {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

int passed = 0;
int failed = 0;

void check(bool holds, const char* what, int line) {
  (holds ? passed : failed) += 1;
  if (!holds) std::fprintf(stderr, "reader_test.cc:%d: %s\n", line, what);
}
#define CHECK(...) check((__VA_ARGS__), #__VA_ARGS__, __LINE__)

// The code that `f` throws, or nothing.
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

template <typename T>
std::string little(T number) {
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

// A file in the temporary folder, gone with this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    const char* folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/sda-reader-test-XXXXXX";
    const int fd = ::mkstemp(path_.data());
    CHECK(fd >= 0);
    CHECK(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    ::close(fd);
  }
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Entry {
  std::string name, data;
};

// A stored archive without descriptors and zip64 records.
std::string zip(const std::vector<Entry>& entries, std::size_t alignment = 64) {
  std::string out, directory;
  for (const Entry& entry : entries) {
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

std::string text(std::string_view value) {
  return "X" + little(static_cast<std::uint32_t>(value.size())) + std::string(value);
}

std::string storage(int count, bool legacy) {
  return "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K" +
         static_cast<char>(count) + (legacy ? "N" : "") + "tQ";
}

// {"weights": {"a": float32 [2, 2] transposed, "b": the four floats}, "name": "n"}
std::string model_pickle(bool legacy) {
  const auto tensor = [&](const std::string& source, const std::string& layout) {
    return "ctorch._utils\n_rebuild_tensor_v2\n(" + source + "K" + '\0' + layout + "\x89}tR";
  };
  return "\x80\2}(" + text("weights") + "}(" + text("a") +
         tensor(storage(4, legacy), "K\2K\2\x86K\1K\2\x86") + text("b") +
         tensor(storage(4, legacy), "K\4\x85K\1\x85") + "u" + text("name") + text("n") + "u.";
}

const float kFloats[] = {1, 2, 3, 4};

std::string floats() { return {reinterpret_cast<const char*>(kFloats), sizeof kFloats}; }

std::string model_zip(std::size_t alignment = 64) {
  return zip({{"m/data.pkl", model_pickle(false)},
              {"m/byteorder", "little"},
              {"m/data/0", floats()},
              {"m/version", "3\n"}},
             alignment);
}

std::string model_legacy() {
  const std::string magic = "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  return magic + "\x80\2M\xe9\3." + "\x80\2}" + text("little_endian") + "\x88s." +
         model_pickle(true) + "\x80\2](" + text("0") + "e." + little(std::int64_t{4}) + floats();
}

void test_crc32() {
  CHECK(crc32(0, "123456789", 9) == 0xCBF43926);
  CHECK(crc32(0, nullptr, 0) == 0);
  std::mt19937 random(1);
  std::vector<unsigned char> bytes(2100);
  for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
  bool same = true, continued = true, combined = true;
  for (std::size_t size = 0; size <= 1000; ++size) {
    // Of its own size, so that reading past it is found; then at odd addresses.
    const std::unique_ptr<unsigned char[]> exact(new unsigned char[size]);
    std::memcpy(exact.get(), bytes.data(), size);
    const unsigned char* odd = bytes.data() + 1 + size % 31;
    const std::uint32_t crc = crc32_by(Crc32Path::kTables, 0, bytes.data(), size);
    const std::uint32_t of_odd = crc32_by(Crc32Path::kTables, 7, odd, size);
    for (const Crc32Path path : {Crc32Path::kFold128, Crc32Path::kFold256, Crc32Path::kFold512}) {
      if (!crc32_has(path)) continue;
      same = same && crc == crc32_by(path, 0, exact.get(), size) &&
             of_odd == crc32_by(path, 7, odd, size);
    }
    same = same && crc == crc32(0, exact.get(), size);
    const std::size_t split = size == 0 ? 0 : random() % size;
    const std::uint32_t first = crc32(0, bytes.data(), split);
    continued = continued && crc == crc32(first, bytes.data() + split, size - split);
    const std::uint32_t second = crc32(0, bytes.data() + split, size - split);
    combined = combined && crc == crc32_combine(first, second, size - split);
  }
  CHECK(same);
  CHECK(continued);
  CHECK(combined);
  // Four gigabytes of zeros behind a byte, without having them: 2^32 = 2^16 times 2^16 bytes.
  std::uint32_t zeros = crc32(0, "\0", 1);
  std::uint64_t size = 1;
  for (; size < std::uint64_t{1} << 32; size *= 2) zeros = crc32_combine(zeros, zeros, size);
  const std::uint32_t whole = crc32_combine(crc32(0, "a", 1), zeros, size);
  const std::uint32_t half = crc32_combine(zeros, zeros, size);
  CHECK(crc32_combine(whole, zeros, size) == crc32_combine(crc32(0, "a", 1), half, 2 * size));
}

void test_utf8() {
  for (const auto valid :
       {""sv, "plain"sv, "\0"sv, "\xc2\x80\xdf\xbf"sv, "\xe0\xa0\x80\xef\xbf\xbf"sv,
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"sv, "\xed\xa0\xbd"sv})
    CHECK(is_python_utf8(valid));
  for (const auto invalid :
       {"\x80"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc2"sv, "\xc2\x41"sv, "\xe0\x9f\xbf"sv,
        "\xe2\x82"sv, "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv,
        "ok\xf0\x9f\xa5"sv})
    CHECK(!is_python_utf8(invalid));
  // Every prefix in memory of its own, so that looking past the end is found.
  const std::string_view mixed = "a\xc3\xa9\xe9\x9b\xa8\xf0\x9f\xa5\x81\xed\xa0\xbd";
  for (std::size_t size = 0; size <= mixed.size(); ++size) {
    const std::unique_ptr<char[]> exact(new char[size]);
    std::memcpy(exact.get(), mixed.data(), size);
    const std::string_view prefix(exact.get(), size);
    const bool whole = size == 0 || size == 1 || size == 3 || size == 6 || size == 10 || size == 13;
    CHECK(is_python_utf8(prefix) == whole);
    CHECK(has_surrogates(prefix) == (size >= 12));
    CHECK(to_utf16(prefix).size() <= size);
  }
  CHECK(to_utf16(mixed) == std::u16string({u'a', 0xe9, 0x96e8, 0xd83e, 0xdd41, 0xd83d}));
  CHECK(!has_surrogates("\xed\x9f\xbf\xee\x80\x80"));
  CHECK(is_ascii("sixteen letters!and one") && !is_ascii("sixteen letters!\x80") && is_ascii(""));
}

void test_half() {
  CHECK(half_to_double(0x0001) == 0x1p-24 && half_to_double(0x3c00) == 1);
  CHECK(half_to_double(0xfbff) == -65504 && half_to_double(0x7c00) > 1e300);
  CHECK(half_to_double(0x7e00) != half_to_double(0x7e00));
}

void test_strided() {
  std::mt19937 random(2);
  bool same = true;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::int64_t> shape(random() % 6), strides;
    std::int64_t count = 1, last = 0;
    for (auto& size : shape) {
      size = random() % 20 == 0 ? 0 : 1 + static_cast<std::int64_t>(random() % 4);
      count *= size;
    }
    // Row-major, then with dimensions swapped, stretched or expanded.
    strides.resize(shape.size());
    std::int64_t stride = 1;
    for (std::size_t d = shape.size(); d-- > 0; stride *= std::max<std::int64_t>(shape[d], 1))
      strides[d] = random() % 6 == 0 ? 0 : stride * (random() % 6 == 0 ? 2 : 1);
    if (shape.size() > 1 && random() % 2) {
      const std::size_t a = random() % shape.size(), b = random() % shape.size();
      std::swap(shape[a], shape[b]);
      std::swap(strides[a], strides[b]);
    }
    for (std::size_t d = 0; d < shape.size(); ++d)
      last += std::max<std::int64_t>(shape[d] - 1, 0) * strides[d];
    for (const std::size_t item : {1, 2, 4, 8, 16}) {
      std::vector<std::byte> from((static_cast<std::size_t>(last) + 1) * item);
      for (auto& byte : from) byte = static_cast<std::byte>(random());
      std::vector<std::byte> to(static_cast<std::size_t>(count) * item);
      copy_strided(to.data(), from.data(), shape, strides, item);
      std::vector<std::int64_t> index(shape.size(), 0);
      for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t rest = i, at = 0;
        for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d])
          at += rest % shape[d] * strides[d];
        same = same && std::memcmp(to.data() + static_cast<std::size_t>(i) * item,
                                   from.data() + static_cast<std::size_t>(at) * item, item) == 0;
      }
    }
  }
  CHECK(same);
  // Sizes of 1 may come with any stride.
  const std::int64_t huge = std::int64_t{1} << 62;
  std::byte one{7}, copy{0};
  copy_strided(&copy, &one, std::vector<std::int64_t>{1, 1}, std::vector<std::int64_t>{huge, huge},
               1);
  CHECK(copy == one);

  std::uint16_t halves[] = {0x0102, 0x0304};
  swap_scalars(reinterpret_cast<std::byte*>(halves), 2, 2);
  CHECK(halves[0] == 0x0201 && halves[1] == 0x0403);
}

void test_dtypes() {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    CHECK(dtype_from_name(dtype_name(dtype)) == dtype);
    CHECK(item_size(dtype) % scalar_size(dtype) == 0);
  }
  CHECK(!dtype_from_name("float") && !dtype_from_name(""));
}

void test_files() {
  CHECK(code_of([] { File file("/no/such/file"); }) == "ERR_SDA_NOT_FOUND");
  CHECK(code_of([] { File file("/"); }) == "ERR_SDA_FORMAT");
  CHECK(code_of([] { File file("a\0b"s); }) == "ERR_SDA_ARGUMENT");
  const TemporaryFile written("0123456789");
  const File file(written.path());
  char bytes[4] = {};
  file.read_at(6, bytes, 4);
  CHECK(std::string_view(bytes, 4) == "6789");
  CHECK(code_of([&] { file.read_at(7, bytes, 4); }) == "ERR_SDA_CORRUPT");
  MappedFile mapped(file);
  mapped.data()[0] = std::byte{'x'};
  file.read_at(0, bytes, 1);
  CHECK(mapped.size() == 10 && bytes[0] == '0');

  for (const std::size_t size : {0, 1, 4096, 1 << 21, (5 << 20) + 3}) {
    PageBuffer first(size);
    const PageBuffer second(size);
    CHECK(reinterpret_cast<std::uintptr_t>(first.data()) % 64 == 0 && first.size() == size);
    std::memset(first.data(), 1, size);
  }
}

Value run(std::string_view bytes, Arena& arena) {
  return PickleMachine(bytes, 0, arena, nullptr, {}).run();
}

void test_pickle() {
  Arena arena(1 << 20, 1 << 20);
  CHECK(run("\x80\2K\5.", arena).as_int() == 5);
  CHECK(run("\x80\2\x8a\1\xff.", arena).as_int() == -1);
  CHECK(run("\x80\2X\2\0\0\0ab."sv, arena).as_str() == "ab");
  const Value list = run("\x80\2](K\1K\2e.", arena);
  CHECK(list.as<List>() != nullptr && list.as<List>()->items.size() == 2);
  CHECK(list.as<Dict>() == nullptr && !list.as_int() && !list.as_str());
  CHECK(code_of([&] { run("\x80\2cos\nsystem\n.", arena); }) == "ERR_SDA_UNSAFE");
  CHECK(code_of([&] { run("\x80\2]Q.", arena); }) == "ERR_SDA_UNSAFE");

  // A pickle of many opcodes can be given up; a short one is through before anybody looks.
  CancelToken cancelled;
  cancelled.cancel();
  const auto run_cancelled = [&](std::string_view bytes) {
    return code_of([&] {
      PickleMachine(bytes, 0, arena, nullptr, {false, nullptr, &cancelled}).run();
    });
  };
  std::string many = "\x80\2";
  for (int i = 0; i < 5000; ++i) many += "N0";
  CHECK(run(many + "N.", arena).is_none());
  CHECK(run_cancelled(many + "N.") == "cancelled");
  CHECK(run_cancelled("N.") == "");

  // Each prefix in memory of its own: reading one byte too many is found.
  const std::string whole = model_pickle(true);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::unique_ptr<char[]> exact(new char[size]);
    std::memcpy(exact.get(), whole.data(), size);
    Arena own(1 << 20, 1 << 20);
    CHECK(!code_of([&] { run({exact.get(), size}, own); }).empty());
  }
  // Random opcodes: anything but a crash.
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    const std::size_t size = 1 + random() % 60;
    const std::unique_ptr<char[]> exact(new char[size]);
    const std::string_view opcodes =
        "(.012JKMNRTUX]be}}aqhr)t\x81\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\x92\x93\x94\x95\x96"
        "}u)s]lod\0\1\2"sv;
    for (std::size_t i = 0; i < size; ++i) exact[i] = opcodes[random() % opcodes.size()];
    Arena own(1 << 16, 1 << 16);
    code_of([&] { run({exact.get(), size}, own); });
  }

  Arena poor(1000, 100);
  CHECK(code_of([&] { run("\x80\2]]]]]]]]]]]]]]]]]]]].", poor); }) == "ERR_SDA_LIMIT");
  Arena frugal(1 << 20, 100);
  char* first = frugal.allocate(60);
  CHECK(code_of([&] { frugal.allocate(60); }) == "ERR_SDA_LIMIT");
  std::shared_ptr<std::byte> shared = frugal.share(first);
  CHECK(shared != nullptr && frugal.share(first) == nullptr &&
        frugal.share("elsewhere") == nullptr);
}

// Tensors "a" and "b" of the model must have their values, also once the document is gone.
void check_model(std::shared_ptr<const Document> document) {
  StateDict weights = state_dict(document, "weights");
  CHECK(weights.size() == 2 && weights[0].name == "a" && weights[1].name == "b");
  CHECK(code_of([&] { state_dict(document, "none"); }) == "ERR_SDA_FORMAT");
  CHECK(code_of([&] { state_dict(document, "name"); }) == "ERR_SDA_FORMAT");
  CHECK(list_tensors(*document).size() == 2 && list_tensors(*document)[0].name == "weights.a");
  document.reset();
  const auto* a = reinterpret_cast<const float*>(weights[0].data);
  const auto* b = reinterpret_cast<float*>(weights[1].data);
  CHECK(a[0] == 1 && a[1] == 3 && a[2] == 2 && a[3] == 4);
  CHECK(std::memcmp(b, kFloats, sizeof kFloats) == 0);
  weights[1].data[0] = std::byte{9};  // memory of its own, or a private page
  weights.erase(weights.begin());
  CHECK(b[3] == 4);
}

void test_documents() {
  for (const std::string& content : {model_zip(), model_zip(1), model_legacy()}) {
    const TemporaryFile file(content);
    for (const Hold hold : {Hold::kMemory, Hold::kMapping}) {
      OpenOptions options;
      options.hold = hold;
      check_model(Document::open(file.path(), options));
      CHECK(code_of([&] { Document::open(file.path() + ".none", options); }) ==
            "ERR_SDA_NOT_FOUND");
    }
    OpenOptions nothing;
    nothing.hold = Hold::kNothing;
    const auto document = Document::open(file.path(), nothing);
    CHECK(document->file_size() == content.size());
    CHECK(document->globals().count("torch.FloatStorage") == 1);
    CHECK(state_dict(document, "weights")[1].data == nullptr);
    CHECK(verify_file(file.path(), nullptr).problems.empty());

    CancelToken cancel;
    cancel.cancel();
    OpenOptions cancelled;
    cancelled.cancel = &cancel;
    CHECK(code_of([&] { Document::open(file.path(), cancelled); }) == "cancelled");

    // Every prefix, and every file with one byte flipped.
    for (std::size_t size = 0; size < content.size(); size += 1 + size / 100) {
      const TemporaryFile cut(std::string_view(content).substr(0, size));
      CHECK(!code_of([&] { Document::open(cut.path(), {}); }).empty());
      CHECK(!verify_file(cut.path(), nullptr).problems.empty());
    }
    for (std::size_t at = 0; at < content.size(); at += 3) {
      std::string damaged = content;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x11);
      const TemporaryFile changed(damaged);
      code_of([&] { Document::open(changed.path(), {}); });
      verify_file(changed.path(), nullptr);
    }
  }
}

// A file of several pieces is read by two threads; several documents at once by more.
void test_threads() {
  std::string weights(6 << 20, '\0');
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<char>(i * 31 >> 3);
  const std::string pickle = "\x80\2(" + text("storage") + "ctorch\nByteStorage\n" + text("0") +
                             text("cpu") + "J" + little(std::int32_t{6 << 20}) + "tQ.";
  std::string content = zip({{"m/data.pkl", pickle}, {"m/data/0", weights}});
  const TemporaryFile file(content);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const auto document = Document::open(file.path(), {});
      const auto* storage = document->root().as<Storage>();
      if (std::memcmp(storage->data, weights.data(), weights.size()) == 0) ++right;
    });
  for (auto& thread : threads) thread.join();
  CHECK(right == 4);

  content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 1);
  const TemporaryFile damaged(content);
  CHECK(code_of([&] { Document::open(damaged.path(), {}); }) == "ERR_SDA_CORRUPT");
}

}  // namespace
}  // namespace sda

int main() {
  sda::test_crc32();
  sda::test_utf8();
  sda::test_half();
  sda::test_strided();
  sda::test_dtypes();
  sda::test_files();
  sda::test_pickle();
  sda::test_documents();
  sda::test_threads();
  std::printf("%d passed, %d failed\n", sda::passed, sda::failed);
  return sda::failed == 0 ? 0 : 1;
}
