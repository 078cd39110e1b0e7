#include "checkpoint/pickle/scan_pickle.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <new>
#include <set>
#include <vector>

#include "checkpoint/container/reader.h"
#include "checkpoint/container/zip.h"
#include "checkpoint/container/zip_format.h"
#include "checkpoint/io/window_reader.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/pickle_opcodes.h"

namespace sda {
namespace {

using namespace opcodes;

constexpr std::size_t kMaxMarks = 1'000'000;
constexpr std::size_t kMaxGlobals = 1000;
constexpr std::size_t kMaxPickles = 10'000;
constexpr std::size_t kMaxMemo = 1'000'000;
constexpr std::size_t kMaxMemoText = std::size_t{16} << 20;

// A part of a file.
struct Range {
  std::uint64_t begin, end;
  bool is_in_archive = false;  // of torch.save
};

// The pickle has ended, or Python refuses its next opcode.
struct End {};

// The bytes of a part of the file in order.
class Stream {
 public:
  Stream(const File& file, Range range) : size_(range.end), window_(file), at_(range.begin) {}

  bool is_at_end() const { return at_ >= size_; }

  std::uint64_t position() const { return at_; }

  std::uint8_t byte() {
    if (is_at_end()) throw End();
    std::uint8_t byte;
    window_(at_++, &byte, 1);
    return byte;
  }

  std::uint64_t number(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= std::uint64_t{byte()} << 8 * i;
    return value;
  }

  // The first bytes of the next `size`, at most as many as a name may have.
  std::string text(std::uint64_t size) {
    if (size > size_ - at_) throw End();
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(size, kKept)), '\0');
    window_(at_, text.data(), text.size());
    at_ += size;
    return text;
  }

  std::string line() {
    std::string line;
    for (std::uint8_t next = byte(); next != '\n'; next = byte())
      if (line.size() < kKept) line += static_cast<char>(next);
    return line;
  }

 private:
  static constexpr std::size_t kKept = limits::kMaxNameBytes;

  const std::uint64_t size_;
  WindowReader window_;
  std::uint64_t at_;
};

bool is_identifier_path(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || c == '_' || c == '.' || (c >= '0' && c <= '9') ||
           ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  });
}

// Follows the opcodes of one pickle to STOP, to one that Python refuses or to the end. Counts what
// is on Python's stack, and remembers no values but the texts that may become names.
class Scan {
 public:
  // `has_ids`: whether the reader of the pickle knows persistent ids. A first pickle that is no
  // text may be of an archive, too.
  Scan(Stream& stream, bool has_ids, const CancelToken* cancel)
      : stream_(stream), watch_(cancel), start_(stream.position()), has_ids_(has_ids) {}

  void run() {
    try {
      for (;;) {
        watch_.step();
        const bool is_first = stream_.position() == start_;
        const std::uint8_t opcode = stream_.byte();
        if (is_first) is_binary_ = opcode == kProto;
        if (is_first && is_binary_) has_ids_ = true;
        execute(opcode);
        check_frame();
      }
    } catch (const End&) {
    }
  }

  bool executes() const { return executes_; }
  bool has_stopped() const { return stopped_; }
  bool is_binary() const { return is_binary_; }
  const NamedGlobals& globals() const { return globals_; }

 private:
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  void need(std::size_t count) const {
    if (depth_ < floor() + count) throw End();
  }
  // Python's opcodes that change a value need it below what they take.
  void take(std::size_t count) {
    need(count);
    depth_ -= count;
    is_text_on_top_ = false;
  }
  void take_to_mark() {
    is_text_on_top_ = false;
    if (marks_.empty()) throw End();
    depth_ = marks_.back();
    marks_.pop_back();
  }
  void push() {
    ++depth_;
    is_text_on_top_ = false;
  }

  // What Python reads at the end of a frame is uncertain; see ambiguity.h.
  void enter_frame(std::uint64_t size) {
    if (stream_.position() < frame_end_) uncertain();
    frame_end_ = stream_.position() + size;
  }
  void check_frame() {
    if (frame_end_ == 0 || stream_.position() < frame_end_) return;
    if (stream_.position() > frame_end_) uncertain();
    frame_end_ = 0;
  }
  [[noreturn]] void uncertain() {
    executes_ = true;
    throw End();
  }

  void name(const std::string& module, const std::string& cls) {
    named_ = true;
    const Known known = look_up_global(module, cls).known;
    if (globals_.size() < kMaxGlobals) {
      const auto [place, added] = globals_.emplace(module + "." + cls, known);
      place->second = std::min(place->second, known);  // ordered by danger
    }
    // A text whose first lines happen to name a "global" is no pickle, unless more follows.
    if (is_binary_) executes_ = true;
    push();
  }
  void name_in(const std::string& module, const std::string& cls) {
    if (!is_identifier_path(module)) throw End();  // no module has such a name
    name(module, cls);
  }
  void call() {
    if (named_) executes_ = true;
  }
  void push_text(std::string text) {
    texts_ = {std::move(texts_[1]), std::move(text)};
    push();
    is_text_on_top_ = true;
  }

  // A name may come from the memo.
  void memoize(std::uint64_t index) {
    need(1);
    if (memo_.size() < kMaxMemo) memo_.insert(index);
    if (is_text_on_top_ && memo_text_ + texts_[1].size() <= kMaxMemoText) {
      memo_text_ += texts_[1].size();
      memo_texts_.insert_or_assign(index, texts_[1]);
    } else {
      memo_texts_.erase(index);
    }
  }
  void recall(std::uint64_t index) {
    const auto found = memo_texts_.find(index);
    if (found == memo_texts_.end()) return push();
    push_text(found->second);
  }
  std::uint64_t line_index() {
    const std::string line = stream_.line();
    std::uint64_t index = 0;
    std::from_chars(line.data(), line.data() + line.size(), index);
    return index;
  }

  void execute(std::uint8_t opcode) {
    switch (opcode) {
      case kProto:
        if (stream_.byte() > 5) throw End();
        return;
      case kFrame:
        return enter_frame(stream_.number(8));
      case kStop:
        need(1);
        call();
        // The next pickle then begins behind the frame, or behind STOP.
        if (stream_.position() < frame_end_) uncertain();
        stopped_ = true;
        throw End();

      case kNone:
      case kNewTrue:
      case kNewFalse:
      case kEmptyTuple:
      case kEmptyList:
      case kEmptyDict:
      case kEmptySet:
        return push();
      case kBinInt:
        stream_.number(4);
        return push();
      case kBinInt1:
        stream_.number(1);
        return push();
      case kBinInt2:
        stream_.number(2);
        return push();
      case kBinFloat:
        stream_.number(8);
        return push();
      case kLong1:
        stream_.text(stream_.number(1));
        return push();
      case kLong4:
        stream_.text(stream_.number(4));
        return push();
      case kFloatText:
      case kIntText:
      case kLongText: {
        const std::string line = stream_.line();
        if (line.find_first_of("0123456789nN") == std::string::npos) throw End();
        return push();
      }

      case kStringText: {
        const std::string line = stream_.line();
        if (line.size() < 2 || (line[0] != '\'' && line[0] != '"')) throw End();
        return push_text(line.substr(1, line.size() - 2));
      }
      case kUnicodeText:
        return push_text(stream_.line());
      case kShortBinUnicode:
      case kShortBinString:
      case kShortBinBytes:
        return push_text(stream_.text(stream_.number(1)));
      case kBinUnicode:
      case kBinString:
      case kBinBytes:
        return push_text(stream_.text(stream_.number(4)));
      case kBinUnicode8:
      case kBinBytes8:
      case kByteArray8:
        return push_text(stream_.text(stream_.number(8)));

      case kMark:
        if (marks_.size() == kMaxMarks) uncertain();
        marks_.push_back(depth_);
        return;
      case kPop:
        if (!marks_.empty() && marks_.back() == depth_)
          marks_.pop_back();
        else
          take(1);
        return;
      case kPopMark:
        return take_to_mark();
      case kDup:
        need(1);
        return push();

      case kTuple1:
        need(1);
        return;
      case kTuple2:
        take(2);
        return push();
      case kTuple3:
        take(3);
        return push();
      case kTuple:
      case kList:
      case kDict:
      case kFrozenSet:
        take_to_mark();
        return push();
      case kAppend:
        take(1);
        return need(1);
      case kSetItem:
        take(2);
        return need(1);
      case kAppends:
      case kSetItems:
      case kAddItems:
        take_to_mark();
        return need(1);

      case kPutText:
        return memoize(line_index());
      case kBinPut:
        return memoize(stream_.number(1));
      case kLongBinPut:
        return memoize(stream_.number(4));
      case kMemoize:
        return memoize(memo_.size());  // as in Python, which counts entries
      case kGetText:
        return recall(line_index());
      case kBinGet:
        return recall(stream_.number(1));
      case kLongBinGet:
        return recall(stream_.number(4));

      case kGlobal: {
        const std::string module = stream_.line();
        return name_in(module, stream_.line());
      }
      case kStackGlobal:
        take(2);
        return name(texts_[0], texts_[1]);
      case kInst: {
        const std::string module = stream_.line();
        const std::string cls = stream_.line();
        take_to_mark();
        name_in(module, cls);
        return call();
      }
      case kExt1:
      case kExt2:
      case kExt4:
        stream_.number(opcode == kExt1 ? 1 : opcode == kExt2 ? 2 : 4);
        named_ = executes_ = true;
        return push();
      case kReduce:
      case kNewObj:
        take(2);
        call();
        return push();
      case kNewObjEx:
        take(3);
        call();
        return push();
      case kObj:
        take_to_mark();
        call();
        return push();
      case kBuild:
        take(1);
        need(1);
        return call();

      // Python needs a function for these that torch.load does not give for the first pickle.
      case kBinPersId:
        if (!has_ids_) throw End();
        take(1);
        return push();
      case kPersId:
        if (!has_ids_) throw End();
        stream_.line();
        return push();
      case kNextBuffer:
      case kReadonlyBuffer:
      default:
        throw End();
    }
  }

  Stream& stream_;
  CancelWatch watch_;
  const std::uint64_t start_;
  bool has_ids_;
  NamedGlobals globals_;
  std::size_t depth_ = 0;
  std::vector<std::size_t> marks_;
  std::array<std::string, 2> texts_;  // the last ones
  bool is_text_on_top_ = false;
  std::set<std::uint64_t> memo_;  // the written entries
  std::map<std::uint64_t, std::string> memo_texts_;
  std::size_t memo_text_ = 0;    // bytes
  std::uint64_t frame_end_ = 0;  // 0: no frame is open
  bool is_binary_ = false;
  bool named_ = false;
  bool executes_ = false;
  bool stopped_ = false;
};

// Gives the storages of a torch.save pickle, which has been taken out of its archive.
class AnyStorage : public StorageSource {
 public:
  explicit AnyStorage(Arena& arena) : arena_(arena) {}
  Value load(const Value& persistent_id) override {
    const StorageId id = parse_storage_id(persistent_id, 5, 6, arena_);
    auto* storage = arena_.make<Storage>();
    storage->dtype = id.dtype;
    storage->key = id.key;
    storage->location = id.location;
    storage->byte_size = id.byte_size;
    return Value::of(storage);
  }

 private:
  Arena& arena_;
};

// Scans parts of a file, and has the pickle machine read what the scan could follow to STOP.
class Survey {
 public:
  Survey(const File& file, const CancelToken* cancel) : file_(file), cancel_(cancel) {}

  void visit(Range range) {
    Stream stream(file_, range);
    for (std::size_t count = 0; !stream.is_at_end(); ++count) {
      if (count == kMaxPickles)
        return fail(Error(ErrorCode::kLimit, "more than " + std::to_string(kMaxPickles) +
                                                 " pickles, one behind the other"));
      const std::uint64_t from = stream.position();
      Scan scan(stream, range.is_in_archive || count > 0, cancel_);
      scan.run();
      result_.executes |= scan.executes();
      // What follows the last pickle is another program's, such as the bytes of arrays.
      if (!scan.has_stopped() && !scan.executes() && count > 0) return;
      const bool is_pickle = scan.has_stopped() || scan.executes() || scan.is_binary();
      if (!is_pickle || !read(from, scan.has_stopped() ? stream.position() : range.end))
        add(scan.globals());
      if (!scan.has_stopped()) {
        result_.complete = false;
        return;
      }
    }
  }

  PickleScan result_;

 private:
  // Reads the pickle that begins at `from`, and ends at `end` or before it. Returns false where the
  // machine has not named all globals.
  bool read(std::uint64_t from, std::uint64_t end) {
    if (end - from > limits::kMaxPickleBytes) {
      fail(Error(ErrorCode::kLimit, "a pickle of " + std::to_string(end - from) + " bytes"));
      return false;
    }
    content_.resize(static_cast<std::size_t>(end - from));
    file_.read_at(from, content_.data(), content_.size());
    NamedGlobals globals;
    const bool is_read = run(from, end, &globals);
    add(globals);
    // Without foreign globals, the machine must accept each use of the known ones, too.
    const bool is_known = std::none_of(globals.begin(), globals.end(), [](const auto& named) {
      return named.second == Known::kForeign;
    });
    if (is_read && is_known) run(from, end, nullptr);
    return is_read;
  }

  // Describes what it would refuse where it collects the globals.
  bool run(std::uint64_t from, std::uint64_t end, NamedGlobals* globals) {
    try {
      Arena arena(limits::kPickleHeapBytes, limits::kPickleDataBytes + 2 * content_.size());
      AnyStorage storages(arena);
      PickleMachine machine(content_, from, arena, &storages,
                            {globals != nullptr, globals, cancel_, Encoding::kAny});
      machine.run();
      if (from + machine.position() == end) return true;
      fail(Error(ErrorCode::kUnsafe, "a pickle whose end is uncertain"));
    } catch (const Error& error) {
      fail(error);
    } catch (const std::bad_alloc&) {
      fail(Error(ErrorCode::kLimit, "not enough memory to read a pickle"));
    }
    return false;
  }

  void fail(const Error& error) {
    result_.complete = false;
    if (!result_.problem || error.code() == ErrorCode::kUnsafe) result_.problem = error;
  }

  void add(const NamedGlobals& globals) {
    for (const auto& [name, known] : globals) {
      const auto [place, added] = result_.globals.emplace(name, known);
      place->second = std::min(place->second, known);  // ordered by danger
    }
  }

  const File& file_;
  const CancelToken* cancel_;
  std::string content_;
};

constexpr std::string_view kPickleName = "data.pkl";

// The pickle of a damaged archive: what stands behind each local header of that name.
std::vector<Range> search_archive(const File& file, const CancelToken* cancel) {
  constexpr std::size_t kPiece = std::size_t{1} << 20, kHeader = 30, kMaxFound = 16;
  std::vector<Range> found;
  std::string piece;
  CancelWatch watch(cancel);
  WindowReader window(file);
  for (std::uint64_t at = 0; at + kHeader < file.size(); at += kPiece) {
    piece.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(kPiece + zip_format::kMagic.size() - 1, file.size() - at)));
    file.read_at(at, piece.data(), piece.size());
    for (std::size_t i = piece.find(zip_format::kMagic); i != std::string::npos;
         i = piece.find(zip_format::kMagic, i + 1)) {
      watch.step();
      const std::uint64_t header = at + i;
      std::array<std::uint8_t, kHeader> fields;
      if (header + fields.size() > file.size()) break;
      window(header, fields.data(), fields.size());
      const std::size_t name_size = fields[26] | fields[27] << 8;
      const std::uint64_t begin = header + kHeader + name_size + (fields[28] | fields[29] << 8);
      if (begin >= file.size() || name_size < kPickleName.size()) continue;
      std::string name(name_size, '\0');
      window(header + kHeader, name.data(), name.size());
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
      if (name.ends_with(kPickleName) && found.size() < kMaxFound)
        found.push_back({begin, file.size(), true});
    }
  }
  return found;
}

std::vector<Range> in_archive(const File& file, const CancelToken* cancel) {
  try {
    ZipDirectory directory(file);
    ZipRecord* record = directory.find(kPickleName);
    if (record == nullptr) return {};
    WindowReader headers(file);
    check_local_header(*record, directory.top_folder(), file.path(), std::ref(headers));
    return {{record->data_offset, record->data_offset + record->size, true}};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kIo) throw;
    return search_archive(file, cancel);
  }
}

// A numpy file has a pickle where its dtype holds objects ("O"), and raw elements otherwise. The
// form: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
std::vector<Range> in_numpy_file(const File& file) {
  constexpr std::size_t kMostHeader = 65536;
  std::array<std::uint8_t, 12> head;
  if (file.size() < head.size()) return {};
  file.read_at(0, head.data(), head.size());
  const bool is_first_version = head[6] == 1;
  const std::uint64_t begin = is_first_version ? 10 : 12;
  std::uint64_t length = head[8] | head[9] << 8;
  if (!is_first_version) length |= std::uint64_t{head[10]} << 16 | std::uint64_t{head[11]} << 24;
  if (begin + length >= file.size()) return {};
  std::string header(static_cast<std::size_t>(std::min<std::uint64_t>(length, kMostHeader)), '\0');
  file.read_at(begin, header.data(), header.size());
  if (header.size() == length && header.find('O') == std::string::npos) return {};
  return {{begin + length, file.size()}};
}

std::vector<Range> pickles_in(const File& file, const CancelToken* cancel) {
  constexpr std::string_view kNumpy = "\x93NUMPY";
  std::array<char, 6> head{};
  file.read_at(0, head.data(),
               static_cast<std::size_t>(std::min<std::uint64_t>(head.size(), file.size())));
  const std::string_view start(head.data(), head.size());
  if (start.starts_with(zip_format::kMagic)) return in_archive(file, cancel);
  if (start.starts_with(kNumpy)) return in_numpy_file(file);
  return {{0, file.size()}};
}

}  // namespace

PickleScan scan_pickle(const File& file, const CancelToken* cancel) {
  Survey survey(file, cancel);
  for (const Range range : pickles_in(file, cancel)) survey.visit(range);
  return std::move(survey.result_);
}

}  // namespace sda
