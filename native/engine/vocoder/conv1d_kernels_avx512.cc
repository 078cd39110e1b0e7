#define SDA_KERNELS avx512
#include "engine/vocoder/conv1d_kernels_impl.h"
