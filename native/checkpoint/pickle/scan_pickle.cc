#include "checkpoint/pickle/scan_pickle.h"

#include <algorithm>
#include <array>

#include "checkpoint/io/window_reader.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/pickle_opcodes.h"

namespace sda {
namespace {

using namespace opcodes;

constexpr std::size_t kMaxMarks = 1'000'000;
constexpr std::size_t kMaxGlobals = 1000;

// The pickle has ended, or Python refuses its next opcode.
struct End {};

// The file's bytes in order.
class Stream {
 public:
  explicit Stream(const File& file) : size_(file.size()), window_(file) {}

  std::uint64_t position() const { return at_; }

  std::uint8_t byte() {
    if (at_ == size_) throw End();
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
  std::uint64_t at_ = 0;
};

bool is_identifier_path(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || c == '_' || c == '.' || (c >= '0' && c <= '9') ||
           ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  });
}

// Counts what is on Python's stack, and remembers no values.
class Scan {
 public:
  Scan(const File& file, const CancelToken* cancel) : stream_(file), watch_(cancel) {}

  PickleScan run() {
    try {
      for (;;) {
        watch_.step();
        const bool is_first = stream_.position() == 0;
        const std::uint8_t opcode = stream_.byte();
        if (is_first) is_binary_ = opcode == kProto;
        execute(opcode);
        check_frame();
      }
    } catch (const End&) {
    }
    return std::move(result_);
  }

 private:
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  void need(std::size_t count) const {
    if (depth_ < floor() + count) throw End();
  }
  // Python's opcodes that change a value need it below what they take.
  void take(std::size_t count) {
    need(count);
    depth_ -= count;
  }
  void take_to_mark() {
    if (marks_.empty()) throw End();
    depth_ = marks_.back();
    marks_.pop_back();
  }
  void push() { ++depth_; }

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
    result_.executes = true;
    throw End();
  }

  void name(const std::string& shown) {
    named_ = true;
    auto& globals = result_.globals;
    if (globals.size() < kMaxGlobals &&
        std::find(globals.begin(), globals.end(), shown) == globals.end())
      globals.push_back(shown);
    // A text whose first lines happen to name a "global" is no pickle, unless more follows.
    if (is_binary_) result_.executes = true;
    push();
  }
  void name_in(const std::string& module, const std::string& cls) {
    if (!is_identifier_path(module)) throw End();  // no module has such a name
    name(module + "." + cls);
  }
  void call() {
    if (named_) result_.executes = true;
  }
  void push_text(std::string text) {
    texts_ = {std::move(texts_[1]), std::move(text)};
    push();
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
        stream_.line();
        return need(1);
      case kBinPut:
        stream_.number(1);
        return need(1);
      case kLongBinPut:
        stream_.number(4);
        return need(1);
      case kMemoize:
        return need(1);
      case kGetText:
        stream_.line();
        return push();
      case kBinGet:
        stream_.number(1);
        return push();
      case kLongBinGet:
        stream_.number(4);
        return push();

      case kGlobal: {
        const std::string module = stream_.line();
        return name_in(module, stream_.line());
      }
      case kStackGlobal:
        take(2);
        return name(texts_[0] + "." + texts_[1]);  // wrong where they came from the memo
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
        named_ = result_.executes = true;
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
      case kPersId:
      case kBinPersId:
      case kNextBuffer:
      case kReadonlyBuffer:
      default:
        throw End();
    }
  }

  Stream stream_;
  CancelWatch watch_;
  PickleScan result_;
  std::size_t depth_ = 0;
  std::vector<std::size_t> marks_;
  std::array<std::string, 2> texts_;
  std::uint64_t frame_end_ = 0;  // 0: no frame is open
  bool is_binary_ = false;
  bool named_ = false;
};

}  // namespace

PickleScan scan_pickle(const File& file, const CancelToken* cancel) {
  return Scan(file, cancel).run();
}

}  // namespace sda
