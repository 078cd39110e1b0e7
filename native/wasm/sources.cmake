# The library that native/wasm/face.ts loads: a module of CommonJS and its .wasm file. Without a
# file system: face.ts passes the bytes of the module and of models.
add_executable(sda_wasm native/wasm/engine.cc native/wasm/json.cc)
target_link_libraries(sda_wasm PRIVATE sda_engine_core)
target_compile_definitions(sda_wasm PRIVATE SDA_WASM_THREADS=${SDA_WASM_THREADS})
target_link_options(
  sda_wasm
  PRIVATE
  -sMODULARIZE
  -sFILESYSTEM=0
  -sEXPORT_NAME=createSdaWasm
  -sENVIRONMENT=web,worker,node
  -sEXPORTED_FUNCTIONS=_malloc,_free)
if(SDA_THREADS)
  sda_wasm_pool(sda_wasm ${SDA_WASM_THREADS})
  target_link_options(sda_wasm PRIVATE -sEXPORTED_RUNTIME_METHODS=PThread)
endif()
# The package is of type "module"; emscripten 3.1.6 writes CommonJS.
file(WRITE ${CMAKE_BINARY_DIR}/package.json "{ \"type\": \"commonjs\" }\n")
