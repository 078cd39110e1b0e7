// Reads a library's index, and checks the scanner's offsets and the text search.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "input_file.h"
#include "library/find_text.h"
#include "library/index_file.h"

namespace {

using namespace sda::library;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_entry(const std::uint32_t* entry, std::string_view text, std::size_t from) {
  require(entry[kEntryStart] >= from && entry[kKeyEnd] > entry[kEntryStart] + 1);
  // The scanner knows nothing else about an odd entry.
  require(entry[kEntryEnd] >= entry[kKeyEnd] && entry[kEntryEnd] <= text.size());
  require(text[entry[kEntryStart]] == '"' && text[entry[kKeyEnd] - 1] == '"');
  if (entry[kFlags] == kOdd) return;
  std::uint32_t at = entry[kKeyEnd];
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (i + 1 == kFieldCount && entry[kValueEnds + i] == 0) break;  // no vocoder
    require(entry[kValueEnds + i] > at);
    at = entry[kValueEnds + i];
  }
  require(at < entry[kEntryEnd]);
}

// The result of a search through each text by itself.
std::vector<std::uint32_t> search(std::string_view all, const std::vector<std::uint32_t>& starts,
                                  std::string_view sought) {
  std::vector<std::uint32_t> found;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : all.size();
    if (all.substr(starts[i], end - starts[i]).find(sought) != std::string_view::npos)
      found.push_back(static_cast<std::uint32_t>(i));
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static sda::fuzz::InputFile input;
  const IndexFile index =
      read_index(input.holding(sda::fuzz::text_of(data, size)), sda::CancelToken());
  const std::string_view text(reinterpret_cast<const char*>(index.bytes->data()),
                              index.bytes->size());
  require(text == sda::fuzz::text_of(data, size));
  if (!index.layout) return 0;
  require(index.layout->size() % kStride == 0);
  std::size_t end = 0;
  for (std::size_t i = 0; i < index.layout->size(); i += kStride) {
    check_entry(index.layout->data() + i, text, end);
    end = (*index.layout)[i + kEntryEnd];
  }
  // The texts are lines, so neither a text nor the sought text contains the separator.
  std::vector<std::uint32_t> starts = {0};
  for (std::size_t i = 0; i + 1 < text.size(); ++i)
    if (text[i] == '\n') starts.push_back(static_cast<std::uint32_t>(i + 1));
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view sought = text.substr(text.size() - std::min<std::size_t>(3, text.size()));
  for (const std::string_view one : {line, sought, std::string_view("\"")})
    if (!one.empty() && one.find('\n') == std::string_view::npos)
      require(find_text(text, starts, one) == search(text, starts, one));
  return 0;
}
