#define SDA_KERNELS plain
#include "engine/network/conv_kernels_impl.h"
