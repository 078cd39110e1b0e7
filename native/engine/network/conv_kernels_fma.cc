// Compiled for processors with AVX2 and FMA.
#define SDA_KERNELS fma
#include "engine/network/conv_kernels_impl.h"
