#define SDA_KERNELS plain
#include "engine/conv_kernels_impl.h"
