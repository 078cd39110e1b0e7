#include "read_everything.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "addon/marshal/program.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/limits.h"
#include "checkpoint/pickle/scan_pickle.h"
#include "program_walk.h"

namespace sda::fuzz {
namespace {

using DocumentPointer = std::shared_ptr<const Document>;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "contradiction: %s\n", what);
  std::abort();
}

// Null when the file is refused, as most inputs are.
DocumentPointer open(const std::string& path, Hold hold, bool inert_globals,
                     std::vector<EntryPath> without = {}) {
  OpenOptions options;
  options.without = std::move(without);
  options.hold = hold;
  options.inert_globals = inert_globals;
  options.any_container = true;
  options.memory_bytes = limits::kPickleHeapBytes;
  try {
    return Document::open(path, options);
  } catch (const Error& error) {
    require(error.code() != ErrorCode::kNative, "an internal error of the reader");
    require(!error.message().empty(), "an error without a message");
    return nullptr;
  }
}

// Reads both ends of a region and a sample of the bytes between them, for AddressSanitizer to
// check.
void touch(const std::byte* data, std::uint64_t size) {
  static volatile unsigned sink;
  unsigned sum = 0;
  const std::uint64_t step = std::max<std::uint64_t>(1, size / 4096);
  for (std::uint64_t i = 0; i < size; i += step) sum += std::to_integer<unsigned>(data[i]);
  if (size > 0) sum += std::to_integer<unsigned>(data[size - 1]);
  sink = sink + sum;
}

void read_tensors(const DocumentPointer& document) {
  constexpr std::size_t kMostTensors = 10'000;
  std::size_t left = kMostTensors;
  document->arena().for_each<Tensor>([&](Tensor& tensor) {
    const std::uint64_t bytes = tensor.numel() * item_size(tensor.dtype);
    if (bytes == 0 || left == 0) return;
    --left;
    if (tensor.contiguous) return touch(tensor.contiguous.get(), bytes);
    if (tensor.storage->data == nullptr) return;
    require(tensor.is_contiguous(), "a tensor that is not row-major and has no row-major copy");
    touch(tensor.storage->data + tensor.offset * item_size(tensor.dtype), bytes);
  });
  document->arena().for_each<NdArray>([&](NdArray& array) {
    if (array.built) touch(array.data.get(), array.byte_size);
  });
}

void read_state_dicts(const DocumentPointer& document) {
  const auto* top = document->root().as<Dict>();
  if (top == nullptr) return;
  constexpr std::size_t kMostKeys = 16;
  for (std::size_t i = 0; i < std::min(kMostKeys, top->entries.size()); ++i) {
    const auto key = top->entries[i].first.as_str();
    if (!key) continue;
    try {
      for (const NamedTensor& tensor : state_dict(document, *key))
        require(tensor.shape.size() == tensor.strides.size(),
                "a tensor whose shape and strides differ in length");
    } catch (const Error&) {
    }
  }
}

std::size_t count_tensors(const DocumentPointer& document) {
  try {
    return list_tensors(*document).size();
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kLimit,
            "list_tensors() fails with another code than kLimit");
    return 0;
  }
}

// Goes through a program as JavaScript does, but for the values themselves.
void check_program(const addon::Program& program) {
  ProgramWalk(program).run();
  for (const addon::Program::Buffer& buffer : program.buffers) touch(buffer.data, buffer.size);
}

void write_program(const DocumentPointer& document) {
  using addon::ProgramWriter;
  constexpr double kLargestBuffer = 1 << 20;
  for (const auto purpose : {ProgramWriter::Purpose::kKeeping, ProgramWriter::Purpose::kReading}) {
    try {
      ProgramWriter writer(*document, purpose, kLargestBuffer);
      writer.value(document->root());
      check_program(*writer.finish({}));
    } catch (const Error& error) {
      require(error.code() == ErrorCode::kLimit || error.code() == ErrorCode::kCorrupt,
              "a program that cannot be written, of a file that can be read");
    }
  }
}

void use(const DocumentPointer& document) {
  read_tensors(document);
  read_state_dicts(document);
  write_program(document);
}

}  // namespace

void read_everything(const std::string& path) {
  const DocumentPointer inspected = open(path, Hold::kNothing, true);
  const std::size_t tensors = inspected ? count_tensors(inspected) : 0;
  const DocumentPointer described = open(path, Hold::kNothing, false);
  const DocumentPointer mapped = open(path, Hold::kMapping, false);
  const DocumentPointer loaded = open(path, Hold::kMemory, false);
  for (const DocumentPointer& document : {described, mapped, loaded}) {
    if (!document) continue;
    require(inspected != nullptr, "a file that loads but cannot be inspected");
    require(count_tensors(document) == tensors,
            "a file that lists different tensors when opened again");
    use(document);
  }
  if (loaded) require(mapped != nullptr, "a file that loads but cannot be mapped");

  // As models are loaded: a vocoder's training is left out.
  const DocumentPointer partial =
      open(path, Hold::kMemory, false, {{"vocoder_state", "checkpoint"}});
  if (partial) {
    count_tensors(partial);
    use(partial);
  }

  scan_pickle(File(path), nullptr);
  const FileReport report = verify_file(path, nullptr);
  // Only files of torch.save are verified.
  const bool is_torch = loaded && (loaded->container() == Container::kZip ||
                                   loaded->container() == Container::kLegacy);
  if (is_torch) require(report.problems.empty(), "a file that loads but fails verification");
  if (!described && !mapped && !loaded)
    require(!report.problems.empty(), "a file that passes verification but cannot be opened");
}

}  // namespace sda::fuzz
