// LibTorch's own threads.
#pragma once

namespace sda::libtorch {

// Keeps LibTorch's parallel loops on the calling thread. Cheap after a thread's first call.
void prepare_thread();

}  // namespace sda::libtorch
