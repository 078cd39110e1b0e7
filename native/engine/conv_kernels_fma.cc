// Compiled for processors with AVX2 and FMA.
#define SDA_KERNELS fma
#include "engine/conv_kernels_impl.h"
