// Compiled for processors with AVX-512.
#define SDA_KERNELS avx512
#include "engine/network/conv_kernels_impl.h"
