// Names of devices.
#include "libtorch/device.h"

#include "engine/backend_interface.h"
#include "engine/engine.h"
#include "engine/test/support.h"
#include "libtorch/torch_backend.h"

namespace sda::libtorch {
namespace {

using engine::BackendChoice;
using engine::place;

void check_names() {
  const engine::Placement own = place("cpu", BackendChoice::kAuto);
  CHECK(own.device == "cpu");
  CHECK_FALSE(own.on_backend);
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1 ", "cuda:111"}) {
    CHECK(engine::throws(ErrorCode::kArgument, "option", "device",
                         [&] { place(text, BackendChoice::kAuto); }));
  }
  if (cuda_state().devices > 0) return;
  CHECK(place("auto", BackendChoice::kAuto).device == "cpu");
  CHECK_FALSE(place("auto", BackendChoice::kAuto).on_backend);
  CHECK(engine::throws(ErrorCode::kDevice, "device", "cuda:1",
                       [] { place("cuda:1", BackendChoice::kAuto); }));
}

TEST_CASE("devices have names, and others are refused, with and without a backend") {
  check_names();
  CHECK(engine::throws(ErrorCode::kDevice, "device", "cpu",
                       [] { place("cpu", BackendChoice::kAttached); }));

  engine::backend::Interface other = torch_backend();
  ++other.version;
  CHECK(engine::throws(ErrorCode::kNative, "", "", [&] { engine::attach_backend(other); }));
  engine::attach_backend(torch_backend());
  check_names();
  CHECK(place("cpu", BackendChoice::kAttached).on_backend);
  CHECK(place("cpu", BackendChoice::kAttached).device == "cpu");
}

}  // namespace
}  // namespace sda::libtorch
