// The one thing that the threads leave to the program that links them: so they build, and are
// tested, without LibTorch.
#pragma once

namespace sda::engine {

// Called once on each new engine thread, before its first task. The engine defines it in
// libtorch_threads.cc; the scheduler's test defines its own.
void prepare_thread();

}  // namespace sda::engine
