// WebAssembly has no fused multiply-add: the C library computes each one in dozens of operations.
// The WebAssembly build includes this header in front of the sources of the inner loops, which then
// round each product. Their results differ from other platforms' in the last bits.
#pragma once

#define __builtin_fmaf(a, b, c) ((a) * (b) + (c))
#define __builtin_fma(a, b, c) ((a) * (b) + (c))
