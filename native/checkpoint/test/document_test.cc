// Whole files of both containers: what a document keeps alive, damage, cancelling and threads.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "checkpoint/checkpoint.h"
#include "checkpoint/test/support.h"

using namespace sda;
using namespace sda::test;

namespace {

// The same model in an aligned archive, an unaligned archive and a legacy file.
std::vector<std::string> model_files() { return {model_zip(), model_zip(1), model_legacy()}; }

}  // namespace

TEST_CASE("tensors keep their values, also after the document is gone") {
  for (const std::string& content : model_files()) {
    const TemporaryFile file(content);
    for (const Hold hold : {Hold::kMemory, Hold::kMapping}) {
      OpenOptions options;
      options.hold = hold;
      auto document = Document::open(file.path(), options);
      StateDict weights = state_dict(document, "weights");
      REQUIRE(weights.size() == 2);
      CHECK(weights[0].name == "a");
      CHECK(weights[1].name == "b");
      CHECK(code_of([&] { state_dict(document, "none"); }) == "ERR_SDA_SCHEMA");
      CHECK(code_of([&] { state_dict(document, "name"); }) == "ERR_SDA_SCHEMA");
      REQUIRE(list_tensors(*document).size() == 2);
      CHECK(list_tensors(*document)[0].name == "weights.a");

      document.reset();
      const auto* a = reinterpret_cast<const float*>(weights[0].data);
      const auto* b = reinterpret_cast<float*>(weights[1].data);
      CHECK(a[0] == 1);
      CHECK(a[1] == 3);
      CHECK(a[2] == 2);
      CHECK(a[3] == 4);
      CHECK(std::memcmp(b, kFloats, sizeof kFloats) == 0);
      // A write goes to the tensor's own memory or to a private page.
      weights[1].data[0] = std::byte{9};
      weights.erase(weights.begin());
      CHECK(b[3] == 4);

      CHECK(code_of([&] { Document::open(file.path() + ".none", options); }) ==
            "ERR_SDA_NOT_FOUND");
    }
  }
}

TEST_CASE("Hold::kNothing reads the structure and no weights") {
  for (const std::string& content : model_files()) {
    const TemporaryFile file(content);
    OpenOptions nothing;
    nothing.hold = Hold::kNothing;
    const auto document = Document::open(file.path(), nothing);
    CHECK(document->file_size() == content.size());
    CHECK(document->globals().count("torch.FloatStorage") == 1);
    CHECK(state_dict(document, "weights")[1].data == nullptr);
  }
}

TEST_CASE("verify_file finds nothing wrong with a sound file") {
  for (const std::string& content : model_files()) {
    const TemporaryFile file(content);
    CHECK(verify_file(file.path(), nullptr).problems.empty());
  }
}

TEST_CASE("a cancelled token stops Document::open") {
  CancelToken cancel;
  cancel.cancel();
  OpenOptions cancelled;
  cancelled.cancel = &cancel;
  for (const std::string& content : model_files()) {
    const TemporaryFile file(content);
    CHECK(code_of([&] { Document::open(file.path(), cancelled); }) == "cancelled");
  }
}

TEST_CASE("a truncated file is an error, and verify_file reports it") {
  for (const std::string& content : model_files()) {
    for (std::size_t size = 0; size < content.size(); size += 1 + size / 100) {
      CAPTURE(size);
      const TemporaryFile cut(std::string_view(content).substr(0, size));
      CHECK_FALSE(code_of([&] { Document::open(cut.path(), {}); }).empty());
      CHECK_FALSE(verify_file(cut.path(), nullptr).problems.empty());
    }
  }
}

TEST_CASE("a file with any one byte changed never crashes the reader") {
  for (const std::string& content : model_files()) {
    for (std::size_t at = 0; at < content.size(); at += 3) {
      std::string damaged = content;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x11);
      const TemporaryFile changed(damaged);
      code_of([&] { Document::open(changed.path(), {}); });
      verify_file(changed.path(), nullptr);
    }
  }
}

TEST_CASE("a large file is read right by two threads each, in four documents at once") {
  std::string weights(6 << 20, '\0');
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<char>(i * 31 >> 3);
  const std::string pickle = "\x80\2(" + text("storage") + "ctorch\nByteStorage\n" + text("0") +
                             text("cpu") + "J" + little(std::int32_t{6 << 20}) + "tQ.";
  std::string content = zip({{"m/data.pkl", pickle}, {"m/data/0", weights}});

  SUBCASE("every byte arrives") {
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
    CHECK(right.load() == 4);
  }

  SUBCASE("a changed byte in the middle is found") {
    content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 1);
    const TemporaryFile damaged(content);
    CHECK(code_of([&] { Document::open(damaged.path(), {}); }) == "ERR_SDA_CORRUPT");
  }
}
