// The pickle machine without a container, and the arena that its values live in.
#include "checkpoint/pickle/pickle.h"

#include <doctest/doctest.h>

#include <random>

#include "checkpoint/test/support.h"

using namespace sda;
using namespace sda::test;

namespace {

Value run(std::string_view bytes, Arena& arena) {
  return PickleMachine(bytes, 0, arena, nullptr, {}).run();
}

}  // namespace

TEST_CASE("scalars and lists become values of their own kind") {
  Arena arena(1 << 20, 1 << 20);
  CHECK(run("\x80\2K\5.", arena).as_int().value() == 5);
  CHECK(run("\x80\2\x8a\1\xff.", arena).as_int().value() == -1);
  CHECK(std::string(run("\x80\2X\2\0\0\0ab."sv, arena).as_str().value()) == "ab");
  const Value list = run("\x80\2](K\1K\2e.", arena);
  REQUIRE(list.as<List>() != nullptr);
  CHECK(list.as<List>()->items.size() == 2);
  CHECK(list.as<Dict>() == nullptr);
  CHECK_FALSE(list.as_int().has_value());
  CHECK_FALSE(list.as_str().has_value());
}

TEST_CASE("a foreign global and a persistent id without storages are unsafe") {
  Arena arena(1 << 20, 1 << 20);
  CHECK(code_of([&] { run("\x80\2cos\nsystem\n.", arena); }) == "ERR_SDA_UNSAFE");
  CHECK(code_of([&] { run("\x80\2]Q.", arena); }) == "ERR_SDA_UNSAFE");
}

TEST_CASE("a cancelled token stops a long pickle; a short one ends before the token is checked") {
  Arena arena(1 << 20, 1 << 20);
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
}

TEST_CASE("a pickle cut at any byte is an error, without a read beyond its end") {
  const std::string whole = model_pickle(true);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    const ExactCopy prefix(std::string_view(whole).substr(0, size));
    Arena arena(1 << 20, 1 << 20);
    CHECK_FALSE(code_of([&] { run(prefix.view(), arena); }).empty());
  }
}

TEST_CASE("random opcodes never crash the machine") {
  const std::string_view opcodes =
      "(.012JKMNRTUX]be}}aqhr)t\x81\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\x92\x93\x94\x95\x96"
      "}u)s]lod\0\1\2"sv;
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    const std::size_t size = 1 + random() % 60;
    const std::unique_ptr<char[]> exact(new char[size]);
    for (std::size_t i = 0; i < size; ++i) exact[i] = opcodes[random() % opcodes.size()];
    Arena arena(1 << 16, 1 << 16);
    code_of([&] { run({exact.get(), size}, arena); });
  }
}

TEST_CASE("an arena refuses what exceeds either of its budgets") {
  Arena poor(1000, 100);
  CHECK(code_of([&] { run("\x80\2]]]]]]]]]]]]]]]]]]]].", poor); }) == "ERR_SDA_LIMIT");
  Arena frugal(1 << 20, 100);
  frugal.allocate(60);
  CHECK(code_of([&] { frugal.allocate(60); }) == "ERR_SDA_LIMIT");
}

TEST_CASE("an arena shares each of its blocks once, and no other memory") {
  Arena arena(1 << 20, 100);
  char* block = arena.allocate(60);
  const std::shared_ptr<std::byte> shared = arena.share(block);
  CHECK(shared != nullptr);
  CHECK(arena.share(block) == nullptr);
  CHECK(arena.share("elsewhere") == nullptr);
}
