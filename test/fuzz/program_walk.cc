#include "program_walk.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace sda::fuzz {
namespace {

enum class Op {
#define SDA_PROGRAM_OP(name) k##name,
#include "addon/marshal/program_ops.def"
#undef SDA_PROGRAM_OP
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "contradiction in a program: %s\n", what);
  std::abort();
}

}  // namespace

void ProgramWalk::run() {
  // Each value is one less to come, and adds those that it holds.
  for (std::size_t left = 1; left > 0;) left += value() - 1;
  require(at_ == program_.code.size(), "numbers after its end");
}

double ProgramWalk::number() {
  require(at_ < program_.code.size(), "it ends too early");
  return program_.code[at_++];
}

std::size_t ProgramWalk::count() {
  const double found = number();
  require(found >= 0 && found == std::floor(found) && found < 1e15, "a count that is none");
  return static_cast<std::size_t>(found);
}

void ProgramWalk::text() {
  const double place = number();
  const auto length = count();
  const auto index = static_cast<std::size_t>(place / addon::kTextSpan);
  const auto start =
      static_cast<std::size_t>(place - static_cast<double>(index) * addon::kTextSpan);
  if (length == 0 && index == program_.texts.size()) return;
  require(index < program_.texts.size(), "a text that is not there");
  const auto& [latin1, wide] = program_.texts[index];
  require(latin1.empty() || wide.empty(), "a text of both kinds");
  require(start + length <= latin1.size() + wide.size(), "a place after the end of a text");
}

void ProgramWalk::shape() {
  for (std::size_t left = count(); left > 0; --left) count();
}

void ProgramWalk::raw(std::size_t bytes) {
  at_ += (bytes + sizeof(double) - 1) / sizeof(double);
  require(at_ <= program_.code.size(), "bytes beyond its end");
}

void ProgramWalk::buffer(double index) {
  require(index >= 0 && index < static_cast<double>(program_.buffers.size()),
          "a buffer that is not there");
}

std::size_t ProgramWalk::value() {
  const auto op = static_cast<Op>(count());
  switch (op) {
    case Op::kNull:
    case Op::kTrue:
    case Op::kFalse:
      return 0;
    case Op::kNumber:
      number();
      return 0;
    case Op::kText:
      text();
      return 0;
    case Op::kSlot:
      require(count() != 0, "a slot without a kind");
      return 1;
    case Op::kSame:
      require(count() < made_, "a value that has not begun");
      return 0;
    default:
      break;
  }
  if (op != Op::kBigInt) ++made_;
  switch (op) {
    case Op::kList:
      return count();
    case Op::kTuple:
    case Op::kSet: {
      const std::size_t items = count();
      count();
      return items;
    }
    case Op::kDeque: {
      const std::size_t items = count();
      return items + count();
    }
    case Op::kMap:
    case Op::kOrderedDict:
    case Op::kDefaultDict:
    case Op::kCounter: {
      const std::size_t entries = count();
      return 2 * entries + count();
    }
    case Op::kTensor:
    case Op::kStrided:
    case Op::kLarge: {
      count();
      count();
      const std::size_t attributes = count();
      const double first = number();
      if (op == Op::kTensor && first >= 0) buffer(first);
      if (op == Op::kStrided) buffer(first);
      if (op != Op::kLarge) count();
      if (op == Op::kStrided) shape();
      shape();
      return attributes;
    }
    case Op::kNdArray:
    case Op::kElements: {
      count();
      count();
      count();
      if (op == Op::kNdArray)
        buffer(number());
      else
        raw(count());
      shape();
      return 0;
    }
    case Op::kObject: {
      count();
      text();
      text();
      const std::size_t items = count();
      return 4 + items + 2 * count();
    }
    case Op::kGlobal:
      count();
      text();
      text();
      return 0;
    case Op::kBytes:
      count();
      raw(count());
      return 0;
    case Op::kLargeBytes:
      count();
      buffer(number());
      return 0;
    case Op::kBigInt: {
      made_ += count();
      require(count() <= 1, "a sign that is none");
      raw(8 * count());
      return 0;
    }
    case Op::kComplex:
      number();
      number();
      return 0;
    default:
      require(false, "an unknown operation");
      return 0;
  }
}

}  // namespace sda::fuzz
