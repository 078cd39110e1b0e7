// The index scanner and the text search, on texts that show each rule.
#include <cstdio>
#include <string>

#include "library/find_text.h"
#include "library/index_scanner.h"

namespace sda::library {
namespace {

int failed = 0;

void check(bool holds, const char* what, int line) {
  if (holds) return;
  ++failed;
  std::fprintf(stderr, "index_test.cc:%d: %s\n", line, what);
}
#define EXPECT(...) check((__VA_ARGS__), #__VA_ARGS__, __LINE__)

std::string entry(const std::string& id, const std::string& loss = "0.5",
                  const std::string& tags = "[]") {
  return "\"" + id +
         "\": {\n      \"model_id\": \"a\",\n      \"name\": \"\\u00e9\",\n"
         "      \"description\": \"\",\n      \"file_path\": \"a.sda\",\n"
         "      \"file_size_bytes\": 1,\n      \"dataset_name\": \"\",\n"
         "      \"dataset_file_count\": 0,\n      \"dataset_total_duration_s\": 1e-05,\n"
         "      \"training_date\": \"\",\n      \"save_date\": \"\",\n      \"training_epochs\": "
         "-1,\n"
         "      \"final_train_loss\": " +
         loss +
         ",\n      \"final_val_loss\": 1e+16,\n      \"has_analysis\": true,\n"
         "      \"n_active_components\": 0,\n      \"tags\": " +
         tags + "\n    }";
}

std::string index(const std::string& entries) {
  return "{\n  \"version\": 1,\n  \"models\": {\n    " + entries + "\n  }\n}";
}

std::optional<IndexLayout> scan(const std::string& text) { return scan_index(text, CancelToken()); }

bool is_regular(const std::string& one) {
  const auto layout = scan(index(one));
  return layout && layout->size() == kStride && layout->at(kFlags) != kOdd;
}

void scanner() {
  const std::string text =
      index(entry("a") + ",\n    " + entry("b", "NaN", "[\n        \"x\"\n      ]"));
  const auto layout = scan(text);
  EXPECT(layout && layout->size() == 2 * kStride);
  if (layout) {
    const std::uint32_t* first = layout->data();
    const std::uint32_t* second = first + kStride;
    EXPECT(text.substr(first[kEntryStart], first[kEntryEnd] - first[kEntryStart]) == entry("a"));
    EXPECT(text.substr(second[kEntryStart], second[kKeyEnd] - second[kEntryStart]) == "\"b\"");
    EXPECT(first[kFlags] == 0 && second[kFlags] == kNotFinite);
  }
  EXPECT(scan("{\n  \"version\": 1,\n  \"models\": {}\n}")->empty());

  for (const char* loss :
       {"0.0", "-0.0", "1", "Infinity", "-Infinity", "1.5e-300", "12345678901234567.0"})
    EXPECT(is_regular(entry("a", loss)));
  for (const char* loss :
       {"", "01", "1.", ".5", "+1", "1e", "nan", "--1", "-", "\"1\"", "1 ", "0x1"})
    EXPECT(!is_regular(entry("a", loss)));
  for (const char* tags :
       {"[", "[ ]", "[\"x\"]", "[\n        \"x\",\n      ]", "[\n        1\n      ]"})
    EXPECT(!is_regular(entry("a", "1.0", tags)));
  EXPECT(!scan(index(entry("a") + ",\n    " + entry("a"))));  // a key twice
  EXPECT(!scan(index(entry("\\u0041"))));                     // not as Python writes it
  EXPECT(!scan(index(entry("a")) + "\n"));
  EXPECT(!scan(index(entry("a")).substr(0, 100)));
  const auto mixed =
      scan(index("\"odd\": 1,\n    " + entry("a") + ",\n    \"last\": [\n      2\n    ]"));
  EXPECT(mixed && mixed->size() == 3 * kStride && mixed->at(kFlags) == kOdd);

  // Cut anywhere: never more than what is there.
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string cut(text, 0, size);
    const auto found = scan(cut);
    if (!found) continue;
    for (std::size_t i = kEntryEnd; i < found->size(); i += kStride) EXPECT(found->at(i) <= size);
  }
}

void search() {
  const std::string all = std::string("one\0two\0", 8) + std::string("\0none\0", 6) + "one" + '\0';
  const std::vector<std::uint32_t> starts = {0, 8, 14};
  EXPECT(find_text(all, starts, "one") == std::vector<std::uint32_t>({0, 1, 2}));
  EXPECT(find_text(all, starts, "two") == std::vector<std::uint32_t>({0}));
  EXPECT(find_text(all, starts, "onetwo").empty());
  EXPECT(find_text(all, starts, "").empty());
  EXPECT(find_text("", {}, "x").empty());
}

}  // namespace
}  // namespace sda::library

int main() {
  sda::library::scanner();
  sda::library::search();
  if (sda::library::failed > 0) return 1;
  std::puts("index_test: passed");
}
