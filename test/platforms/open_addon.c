// open_addon FILE...: opens addons as Node does, under a C library that no Node is had for. The
// build adds a function for each name of Node-API. None is called, since initialising needs Node.
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    void* addon = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    if (addon == NULL || dlsym(addon, "napi_register_module_v1") == NULL) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
  }
  return 0;
}
