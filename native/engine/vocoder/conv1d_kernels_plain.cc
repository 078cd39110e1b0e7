#define SDA_KERNELS plain
#include "engine/vocoder/conv1d_kernels_impl.h"
