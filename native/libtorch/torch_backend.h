// The engine's other backend, on LibTorch: for CUDA and MPS, and on the CPU for comparison.
#pragma once

#include "engine/device_backend.h"

namespace sda::libtorch {

// The process's only instance, never destroyed.
const engine::DeviceBackend& torch_backend();

}  // namespace sda::libtorch
