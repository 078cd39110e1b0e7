# sda_add_addon(NAME sources...): builds the Node-API addon NAME.node. The headers come from npm
# packages, so the build downloads none of Node. cmake-js passes their folders as CMAKE_JS_INC;
# plain CMake takes them from node_modules.
if(NOT CMAKE_JS_INC)
  set(CMAKE_JS_INC ${CMAKE_SOURCE_DIR}/node_modules/node-api-headers/include
                   ${CMAKE_SOURCE_DIR}/node_modules/node-addon-api)
endif()

# NAPI_VERSION 9 is the newest that every supported Node has. SWALLOW: a worker thread that is being
# terminated refuses exceptions; without this definition, that refusal would end the whole process.
add_library(sda_node_api INTERFACE)
target_include_directories(sda_node_api SYSTEM INTERFACE ${CMAKE_JS_INC})
target_compile_definitions(
  sda_node_api INTERFACE NAPI_VERSION=9 NODE_ADDON_API_CPP_EXCEPTIONS
                         NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)
target_link_libraries(sda_node_api INTERFACE sda_options)

# On Windows a library names the program that its symbols are in. Node-API's headers list them.
if(WIN32 AND SDA_ZIG)
  set(SDA_NODE_LIB ${CMAKE_BINARY_DIR}/node.lib)
  set(machine_x86_64 i386:x86-64)
  set(machine_aarch64 arm64)
  execute_process(
    COMMAND ${SDA_ZIG} dlltool -m ${machine_${CMAKE_SYSTEM_PROCESSOR}} -D node.exe -d
            ${CMAKE_SOURCE_DIR}/node_modules/node-api-headers/def/node_api.def -l ${SDA_NODE_LIB}
    COMMAND_ERROR_IS_FATAL ANY)
  set(CMAKE_JS_LIB ${SDA_NODE_LIB})
endif()

# zig makes no bundles for macOS. Node opens a dynamic library as well.
if(APPLE AND SDA_ZIG)
  set(CMAKE_SHARED_MODULE_CREATE_CXX_FLAGS -shared)
endif()

function(sda_add_addon name)
  add_library(${name} MODULE ${ARGN} ${CMAKE_JS_SRC})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".node" SKIP_BUILD_RPATH ON)
  target_link_libraries(${name} PRIVATE sda_node_api ${CMAKE_JS_LIB})
  if(APPLE)
    target_link_options(${name} PRIVATE -Wl,-undefined,dynamic_lookup
                                        $<$<AND:$<CONFIG:Release>,$<BOOL:${SDA_ZIG}>>:-s>)
  elseif(WIN32 AND SDA_ZIG)
    target_link_options(${name} PRIVATE $<$<CONFIG:Release>:-s>)
  elseif(UNIX)
    # nodelete: Node closes an addon when the worker thread that loaded it ends, although threads of
    # the addon may still run its code.
    target_link_options(
      ${name} PRIVATE -Wl,-z,nodelete -Wl,-z,now -Wl,--gc-sections
      -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/exports.map)
    # The C++ runtime is linked in, so that an addon asks for none of the system's; but LibTorch's
    # addon must share LibTorch's. zig always links its own.
    if(NOT name STREQUAL "sda_libtorch" AND NOT SDA_SANITIZE AND NOT SDA_ZIG)
      target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc)
    endif()
    if(NOT SDA_SANITIZE)
      target_link_options(${name} PRIVATE $<$<CONFIG:Release>:-s>)
    endif()
  endif()
  if(MSVC
     AND CMAKE_JS_NODELIB_DEF
     AND CMAKE_JS_NODELIB_TARGET
     AND NOT EXISTS ${CMAKE_JS_NODELIB_TARGET})
    execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET}
                            ${CMAKE_STATIC_LINKER_FLAGS} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endfunction()
