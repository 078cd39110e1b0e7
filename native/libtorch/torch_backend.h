// The engine's other backend, on LibTorch: for CUDA and MPS, and on the CPU for comparison.
#pragma once

#include <exception>
#include <string>

#include "engine/backend_interface.h"

namespace sda::libtorch {

// The same object in every call, never destroyed.
const engine::backend::Interface& torch_backend();

// The version of the loaded library, such as "2.13.0". It may differ from the headers' version.
std::string loaded_version();

// The first line of an error of LibTorch, which appends a stack trace.
std::string reason_of(const std::exception& error);

}  // namespace sda::libtorch
