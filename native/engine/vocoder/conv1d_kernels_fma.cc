#define SDA_KERNELS fma
#include "engine/vocoder/conv1d_kernels_impl.h"
