// Names of devices.
#include "libtorch/device.h"

#include "engine/device_backend.h"
#include "engine/test/support.h"
#include "libtorch/torch_backend.h"

namespace sda::libtorch {
namespace {

TEST_CASE("devices have names, and others are refused") {
  for (const auto* backend :
       {static_cast<const engine::DeviceBackend*>(nullptr), &torch_backend()}) {
    engine::set_device_backend(backend);
    CHECK(engine::resolve_device("cpu") == "cpu");
    for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1 ", "cuda:111"}) {
      CHECK(engine::throws(ErrorCode::kArgument, "option", "device",
                           [&] { engine::resolve_device(text); }));
    }
    if (backend == nullptr || cuda_state().devices == 0) {
      CHECK(engine::resolve_device("auto") == "cpu");
      CHECK(engine::throws(ErrorCode::kDevice, "device", "cuda:1",
                           [] { engine::resolve_device("cuda:1"); }));
    }
  }
}

}  // namespace
}  // namespace sda::libtorch
