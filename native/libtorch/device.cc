#include "libtorch/device.h"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/headeronly/version.h>

#include <filesystem>

#include "checkpoint/error.h"
#include "os/shared_library.h"

namespace sda::libtorch {
namespace {

std::filesystem::path libtorch_folder() {
  // The address of any function that libtorch_cpu exports gives the path of the library.
  const auto* exported = reinterpret_cast<const void*>(&at::globalContext);
  return std::filesystem::path(os::library_of(exported)).parent_path();
}

CudaState open_cuda() {
  CudaState state;
  const std::filesystem::path library = libtorch_folder() / "libtorch_cuda.so";
  std::error_code ignored;
  if (!std::filesystem::exists(library, ignored)) {
    state.reason = "this LibTorch is a CPU build: there is no " + library.string() +
                   "\nTo install one with CUDA: python3 -m pip install torch==" TORCH_VERSION;
    return state;
  }
  // Its static initialisers register the CUDA kernels and hooks, so it is never closed.
  const std::string problem = os::open_library(library.string());
  if (!problem.empty()) {
    state.reason = "LibTorch's CUDA library cannot be opened: " + problem;
    return state;
  }
  const at::CUDAHooksInterface& hooks = at::detail::getCUDAHooks();
  state.devices = hooks.hasCUDA() ? hooks.deviceCount() : 0;
  if (state.devices == 0) {
    state.reason = "LibTorch has CUDA, but no driver finds a GPU";
  }
  return state;
}

[[noreturn]] void unavailable(const std::string& device, const std::string& reason) {
  throw Error(ErrorCode::kDevice, device + " is not available: " + reason).with("device", device);
}

c10::Device choose_cuda(const std::string& requested, int index) {
  const CudaState& cuda = cuda_state();
  if (cuda.devices == 0) unavailable(requested, cuda.reason);
  if (index >= cuda.devices) {
    unavailable(requested,
                "there are " + std::to_string(cuda.devices) + " CUDA devices, counted from 0");
  }
  return {c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index)};
}

}  // namespace

const CudaState& cuda_state() {
  static const CudaState state = open_cuda();
  return state;
}

c10::Device choose_device(const std::string& requested) {
  if (requested == "cpu") return c10::DeviceType::CPU;
  if (requested == "auto") {
    if (cuda_state().devices > 0) return choose_cuda("cuda:0", 0);
    return at::hasMPS() ? c10::DeviceType::MPS : c10::DeviceType::CPU;
  }
  if (requested == "mps") {
    if (!at::hasMPS())
      unavailable(requested, "this LibTorch has no Metal support, or Metal does not respond");
    return c10::DeviceType::MPS;
  }
  if (requested == "cuda") return choose_cuda(requested, 0);
  const std::string prefix = "cuda:";
  return choose_cuda(requested, std::stoi(requested.substr(prefix.size())));
}

}  // namespace sda::libtorch
