# sda_add_addon(NAME sources...): a Node-API addon NAME.node. The headers come from npm packages, so no download
# of Node's own; cmake-js passes them as CMAKE_JS_INC, a plain cmake finds them in node_modules.
if(NOT CMAKE_JS_INC)
  set(CMAKE_JS_INC ${CMAKE_SOURCE_DIR}/node_modules/node-api-headers/include
                   ${CMAKE_SOURCE_DIR}/node_modules/node-addon-api)
endif()

function(sda_add_addon name)
  add_library(${name} MODULE ${ARGN} ${CMAKE_JS_SRC})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".node" SKIP_BUILD_RPATH ON)
  target_include_directories(${name} SYSTEM PRIVATE ${CMAKE_JS_INC})
  # Version 9 is the newest that every supported Node has. Named after the addon, since two of ours share a process.
  # SWALLOW: a worker that is being terminated takes no exception; without it that ends the whole process.
  target_compile_definitions(
    ${name} PRIVATE NAPI_VERSION=9 NODE_ADDON_API_CPP_EXCEPTIONS NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
                    NODE_GYP_MODULE_NAME=${name})
  target_link_libraries(${name} PRIVATE sda_options ${CMAKE_JS_LIB})
  if(APPLE)
    target_link_options(${name} PRIVATE -undefined dynamic_lookup)
  elseif(UNIX)
    # nodelete: when the worker thread that loaded an addon ends, Node closes it, under the feet of any thread that
    # the addon still has in flight. exclude-libs: two addons in one process must not see each other's symbols.
    target_link_options(${name} PRIVATE -Wl,-z,nodelete -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,now)
    if(NOT SDA_SANITIZE)
      target_link_options(${name} PRIVATE $<$<CONFIG:Release>:-s>)
    endif()
  endif()
  if(MSVC AND CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET AND NOT EXISTS ${CMAKE_JS_NODELIB_TARGET})
    execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET}
                            ${CMAKE_STATIC_LINKER_FLAGS} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endfunction()
