// Names of devices.
#include "engine/device.h"

#include "engine/test/support.h"

namespace sda::engine {
namespace {

TEST_CASE("devices have names, and others are refused") {
  CHECK(resolve_device("cpu") == "cpu");
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1 "}) {
    CHECK(throws(ErrorCode::kArgument, "option", "device", [&] { resolve_device(text); }));
  }
  if (cuda_state().devices == 0) {
    CHECK(throws(ErrorCode::kDevice, "device", "cuda:1", [] { resolve_device("cuda:1"); }));
  }
}

}  // namespace
}  // namespace sda::engine
