#include "library/index_scanner.h"

#include <array>
#include <limits>
#include <unordered_set>

#include "checkpoint/secret_hash.h"

namespace sda::library {
namespace {

enum class Kind { kText, kInteger, kFloat, kBoolean, kTexts, kVocoder };

struct Field {
  std::string_view before;  // the text between the previous value and this one
  Kind kind;
};

// lib/library/index/entry.ts has the same names in the same order; test/native/constants.test.ts
// compares them.
constexpr std::array<Field, kFieldCount> kFields = {{
    {": {\n      \"model_id\": ", Kind::kText},
    {",\n      \"name\": ", Kind::kText},
    {",\n      \"description\": ", Kind::kText},
    {",\n      \"file_path\": ", Kind::kText},
    {",\n      \"file_size_bytes\": ", Kind::kInteger},
    {",\n      \"dataset_name\": ", Kind::kText},
    {",\n      \"dataset_file_count\": ", Kind::kInteger},
    {",\n      \"dataset_total_duration_s\": ", Kind::kFloat},
    {",\n      \"training_date\": ", Kind::kText},
    {",\n      \"save_date\": ", Kind::kText},
    {",\n      \"training_epochs\": ", Kind::kInteger},
    {",\n      \"final_train_loss\": ", Kind::kFloat},
    {",\n      \"final_val_loss\": ", Kind::kFloat},
    {",\n      \"has_analysis\": ", Kind::kBoolean},
    {",\n      \"n_active_components\": ", Kind::kInteger},
    {",\n      \"tags\": ", Kind::kTexts},
    {",\n      \"vocoder\": ", Kind::kVocoder},
}};

constexpr std::string_view kBeforeVersion = "{\n  \"version\": ";
constexpr std::string_view kBeforeModels = ",\n  \"models\": {";
constexpr std::string_view kTail = "\n  }\n}";
constexpr std::string_view kBeforeEntry = "\n    ";
constexpr std::string_view kBeforeTag = "\n        ";
constexpr std::string_view kAfterTags = "\n      ]";
constexpr std::string_view kAfterEntry = "\n    }";

// The longest integer, sign included, that the scanner accepts: a double holds it exactly. The JSON
// parser handles longer ones.
constexpr std::size_t kMaxDigits = 15;

// The characters that stand for themselves in a JSON string: printable ASCII except quote and
// backslash.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// A position in the text. Each function below moves past the item that it is named after, or
// returns false and leaves the position undefined. Only literal() leaves it unchanged then.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  std::size_t position() const noexcept { return position_; }
  void move_to(std::size_t position) noexcept { position_ = position; }
  bool at_end() const noexcept { return position_ == text_.size(); }
  bool is_next(std::string_view expected) const {
    return text_.substr(position_, expected.size()) == expected;
  }

  bool literal(std::string_view expected) {
    if (!is_next(expected)) return false;
    position_ += expected.size();
    return true;
  }

  // A string as json.dump(ensure_ascii=True) writes it. That form is unique, so equal keys have
  // equal bytes.
  bool text() {
    if (!literal("\"")) return false;
    for (;;) {
      while (position_ < text_.size() && kPlain[static_cast<unsigned char>(text_[position_])])
        ++position_;
      if (literal("\"")) return true;
      if (!escape()) return false;
    }
  }

  bool integer() {
    const std::size_t start = position_;
    return whole_part() && position_ - start <= kMaxDigits;
  }

  bool number(bool& not_finite) {
    if (literal("NaN") || literal("Infinity") || literal("-Infinity")) {
      not_finite = true;
      return true;
    }
    if (!whole_part()) return false;
    if (literal(".") && !digits()) return false;
    if (literal("e")) {
      if (!literal("+")) literal("-");
      return digits();
    }
    return true;
  }

  bool boolean() { return literal("true") || literal("false"); }

  bool texts() {
    if (literal("[]")) return true;
    if (!literal("[")) return false;
    do {
      if (!literal(kBeforeTag) || !text()) return false;
    } while (literal(","));
    return literal(kAfterTags);
  }

  bool vocoder(bool& not_finite) {
    if (literal("null")) return true;
    return literal("{\n        \"type\": ") && text() && literal(",\n        \"epochs\": ") &&
           integer() && literal(",\n        \"final_loss\": ") &&
           (literal("null") || number(not_finite)) && literal(",\n        \"training_date\": ") &&
           text() && literal("\n      }");
  }

 private:
  bool digits() {
    const std::size_t start = position_;
    while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9')
      ++position_;
    return position_ > start;
  }

  // An integer of any length, without leading zeros.
  bool whole_part() {
    literal("-");
    const std::size_t start = position_;
    return digits() && (text_[start] != '0' || position_ - start == 1);
  }

  bool escape() {
    if (!literal("\\") || at_end()) return false;
    const char kind = text_[position_++];
    if (kind != 'u') return std::string_view("\"\\nrtbf").find(kind) != std::string_view::npos;
    if (text_.size() - position_ < 4) return false;
    int code = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = hex_digit(text_[position_++]);
      if (digit < 0) return false;
      code = code * 16 + digit;
    }
    const bool has_short_form = code >= 8 && code <= 13 && code != 11;
    return (code < 0x20 || code > 0x7e) && !has_short_form;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

// Scans an entry after its key. Sets its value ends and flags.
bool regular_entry(Cursor& cursor, std::uint32_t* entry) {
  bool not_finite = false;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (kFields[i].kind == Kind::kVocoder && cursor.is_next(kAfterEntry)) break;  // version 1
    if (!cursor.literal(kFields[i].before)) return false;
    bool fits = false;
    switch (kFields[i].kind) {
      case Kind::kText:
        fits = cursor.text();
        break;
      case Kind::kInteger:
        fits = cursor.integer();
        break;
      case Kind::kFloat:
        fits = cursor.number(not_finite);
        break;
      case Kind::kBoolean:
        fits = cursor.boolean();
        break;
      case Kind::kTexts:
        fits = cursor.texts();
        break;
      case Kind::kVocoder:
        fits = cursor.vocoder(not_finite);
        break;
    }
    if (!fits) return false;
    entry[kValueEnds + i] = static_cast<std::uint32_t>(cursor.position());
  }
  entry[kFlags] = not_finite ? kNotFinite : 0;
  return cursor.literal(kAfterEntry) && (cursor.is_next(",") || cursor.is_next(kTail));
}

}  // namespace

std::optional<IndexLayout> scan_index(std::string_view text, const CancelToken& cancel) {
  if (text.size() > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  Cursor cursor(text);
  if (!cursor.literal(kBeforeVersion) || !cursor.integer() || !cursor.literal(kBeforeModels))
    return std::nullopt;
  IndexLayout layout;
  if (cursor.literal("}\n}")) return cursor.at_end() ? std::optional(layout) : std::nullopt;

  constexpr std::size_t kUsualBytesPerEntry = 500;
  layout.reserve(text.size() / kUsualBytesPerEntry * kStride);
  std::unordered_set<std::string_view, SecretHash> keys;
  keys.reserve(text.size() / kUsualBytesPerEntry);
  do {
    cancel.throw_if_cancelled();
    if (!cursor.literal(kBeforeEntry)) return std::nullopt;
    const std::size_t start = cursor.position();
    if (!cursor.text()) return std::nullopt;
    const std::size_t key_end = cursor.position();
    if (!keys.insert(text.substr(start, key_end - start)).second) return std::nullopt;

    layout.resize(layout.size() + kStride);
    std::uint32_t* entry = layout.data() + layout.size() - kStride;
    entry[kEntryStart] = static_cast<std::uint32_t>(start);
    entry[kKeyEnd] = static_cast<std::uint32_t>(key_end);
    if (!regular_entry(cursor, entry)) {
      // Looks for the next line with the indentation of an entry's key. Strings hold no line
      // breaks, so the next entry begins there if json.dump indented this one. The caller parses
      // the text in between and detects any other case.
      for (std::size_t i = 0; i < kFieldCount; ++i) entry[kValueEnds + i] = 0;
      entry[kFlags] = kOdd;
      const std::size_t next = text.find("\n    \"", key_end);
      if (next == std::string_view::npos) {
        if (text.size() < key_end + kTail.size()) return std::nullopt;
        cursor.move_to(text.size() - kTail.size());
      } else {
        if (text[next - 1] != ',') return std::nullopt;
        cursor.move_to(next - 1);
      }
    }
    entry[kEntryEnd] = static_cast<std::uint32_t>(cursor.position());
  } while (cursor.literal(","));
  if (!cursor.literal(kTail) || !cursor.at_end()) return std::nullopt;
  return layout;
}

}  // namespace sda::library
