// Device names, and LibTorch's CUDA library, which is opened only when a caller asks for CUDA.
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace sda::libtorch {

struct CudaState {
  int devices = 0;
  std::string reason;  // why there is no device; empty when there is one
};

// On the first call, opens libtorch_cuda from the folder of libtorch_cpu, if it exists: this takes
// hundreds of milliseconds. Later calls return the same object. From any thread.
const CudaState& cuda_state();

// Takes "auto", "cpu", "cuda", "cuda:N" or "mps"; engine::place() refuses any other text.
// Throws kDevice with the reason when the device is not available.
c10::Device choose_device(const std::string& requested);

}  // namespace sda::libtorch
