// The index scanner and the text search, on texts that show each rule.
#include <doctest/doctest.h>

#include <string>

#include "library/find_text.h"
#include "library/index_scanner.h"

using namespace sda;
using namespace sda::library;

namespace {

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

std::string index(const std::string& entries, const std::string& version = "1") {
  return "{\n  \"version\": " + version + ",\n  \"models\": {\n    " + entries + "\n  }\n}";
}

std::string with_vocoder(const std::string& vocoder) {
  const std::string one = entry("a");
  return one.substr(0, one.size() - 6) + ",\n      \"vocoder\": " + vocoder + "\n    }";
}

std::string vocoder(const std::string& epochs = "5", const std::string& loss = "0.5") {
  return "{\n        \"type\": \"v\",\n        \"epochs\": " + epochs +
         ",\n        \"final_loss\": " + loss + ",\n        \"training_date\": \"\"\n      }";
}

std::optional<IndexLayout> scan(const std::string& text) { return scan_index(text, CancelToken()); }

bool is_regular(const std::string& one) {
  const auto layout = scan(index(one));
  return layout && layout->size() == kStride && layout->at(kFlags) != kOdd;
}

std::string two_entries() {
  return index(entry("a") + ",\n    " + entry("b", "NaN", "[\n        \"x\"\n      ]"));
}

}  // namespace

TEST_CASE("the scanner notes where entries and keys lie, and which hold NaN") {
  const std::string text = two_entries();
  const auto layout = scan(text);
  REQUIRE(layout.has_value());
  REQUIRE(layout->size() == 2 * kStride);
  const std::uint32_t* first = layout->data();
  const std::uint32_t* second = first + kStride;
  CHECK(text.substr(first[kEntryStart], first[kEntryEnd] - first[kEntryStart]) == entry("a"));
  CHECK(text.substr(second[kEntryStart], second[kKeyEnd] - second[kEntryStart]) == "\"b\"");
  CHECK(first[kFlags] == 0);
  CHECK(second[kFlags] == kNotFinite);
}

TEST_CASE("an index without models has an empty layout") {
  const auto layout = scan("{\n  \"version\": 1,\n  \"models\": {}\n}");
  REQUIRE(layout.has_value());
  CHECK(layout->empty());
}

TEST_CASE("numbers as json.dump writes them are regular") {
  for (const char* loss :
       {"0.0", "-0.0", "1", "Infinity", "-Infinity", "1.5e-300", "12345678901234567.0"}) {
    CAPTURE(loss);
    CHECK(is_regular(entry("a", loss)));
  }
}

TEST_CASE("text that is no JSON number makes an entry odd") {
  for (const char* loss :
       {"", "01", "1.", ".5", "+1", "1e", "nan", "--1", "-", "\"1\"", "1 ", "0x1"}) {
    CAPTURE(loss);
    CHECK_FALSE(is_regular(entry("a", loss)));
  }
}

TEST_CASE("tags in any other layout than json.dump's make an entry odd") {
  for (const char* tags :
       {"[", "[ ]", "[\"x\"]", "[\n        \"x\",\n      ]", "[\n        1\n      ]"}) {
    CAPTURE(tags);
    CHECK_FALSE(is_regular(entry("a", "1.0", tags)));
  }
}

TEST_CASE("an entry may have a vocoder, whatever the version") {
  for (const char* version : {"1", "2", "3", "-1"}) {
    CAPTURE(version);
    const std::string text = index(with_vocoder(vocoder()) + ",\n    " + entry("b"), version);
    const auto layout = scan(text);
    REQUIRE(layout.has_value());
    REQUIRE(layout->size() == 2 * kStride);
    const std::uint32_t* first = layout->data();
    const std::uint32_t tags = first[kEntryEnd - 2];
    const std::uint32_t end = first[kEntryEnd - 1];
    CHECK(first[kFlags] == 0);
    CHECK(text.substr(tags, end - tags) == ",\n      \"vocoder\": " + vocoder());
    CHECK(first[kStride + kEntryEnd - 1] == 0);  // the second entry has none
  }
  CHECK(is_regular(with_vocoder("null")));
  CHECK(is_regular(with_vocoder(vocoder("-1", "null"))));
  const auto layout = scan(index(with_vocoder(vocoder("1", "Infinity")), "2"));
  REQUIRE(layout.has_value());
  CHECK(layout->at(kFlags) == kNotFinite);
}

TEST_CASE("a vocoder in another layout than json.dump's makes an entry odd") {
  const std::string good = vocoder();
  for (const std::string& bad :
       {std::string("{}"), std::string("1"), std::string("nul"), std::string("[]"),
        good.substr(0, good.size() - 1), vocoder("1.0"), vocoder("\"1\""), vocoder("1", "true"),
        vocoder("1", "0.5,\n        \"extra\": 1")}) {
    CAPTURE(bad);
    CHECK_FALSE(is_regular(with_vocoder(bad)));
  }
}

TEST_CASE("the scanner leaves an index with another version than a short integer alone") {
  for (const char* version : {"", "1.0", "\"1\"", "01", "1234567890123456", "null"}) {
    CAPTURE(version);
    CHECK_FALSE(scan(index(entry("a"), version)).has_value());
  }
}

TEST_CASE("the scanner leaves an index with another frame or doubtful keys to the JSON parser") {
  CHECK_FALSE(scan(index(entry("a") + ",\n    " + entry("a"))).has_value());  // a repeated key
  // json.dump writes an "A" as itself.
  CHECK_FALSE(scan(index(entry("\\u0041"))).has_value());
  CHECK_FALSE(scan(index(entry("a")) + "\n").has_value());
  CHECK_FALSE(scan(index(entry("a")).substr(0, 100)).has_value());
}

TEST_CASE("odd entries stand among regular ones") {
  const auto mixed =
      scan(index("\"odd\": 1,\n    " + entry("a") + ",\n    \"last\": [\n      2\n    ]"));
  REQUIRE(mixed.has_value());
  CHECK(mixed->size() == 3 * kStride);
  CHECK(mixed->at(kFlags) == kOdd);
}

TEST_CASE("in an index cut at any byte no entry ends beyond the text") {
  const std::string text =
      index(entry("b", "NaN", "[\n        \"x\"\n      ]") + ",\n    " + with_vocoder(vocoder()));
  for (std::size_t size = 0; size < text.size(); ++size) {
    CAPTURE(size);
    const auto found = scan(std::string(text, 0, size));
    if (!found) continue;
    for (std::size_t i = kEntryEnd; i < found->size(); i += kStride) CHECK(found->at(i) <= size);
  }
}

TEST_CASE("find_text names each text that contains the sought one, once and in order") {
  using Numbers = std::vector<std::uint32_t>;
  const std::string all = std::string("one\0two\0", 8) + std::string("\0none\0", 6) + "one" + '\0';
  const Numbers starts = {0, 8, 14};
  CHECK((find_text(all, starts, "one") == Numbers{0, 1, 2}));
  CHECK((find_text(all, starts, "two") == Numbers{0}));
  CHECK(find_text(all, starts, "onetwo").empty());
  CHECK(find_text(all, starts, "").empty());
  CHECK(find_text("", {}, "x").empty());
}
