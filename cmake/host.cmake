# reformerc::reformerc, the program that reformerc_add_model() runs, where it is not the one built here: REFORMERC_EXECUTABLE;
# and while building for another machine, one of this version in PATH, else one built from here for this machine.
set(REFORMERC_EXECUTABLE "" CACHE FILEPATH "a reformerc of this version, instead of building one")
set(REFORMERC_HOST_CC "" CACHE STRING "C compiler for this machine, where the project is built for another; default cc")

# What `program --version` says, "" where it does not run.
function(_reformerc_version_of program result)
  execute_process(COMMAND ${program} --version OUTPUT_VARIABLE said ERROR_QUIET RESULT_VARIABLE code)
  set(${result} "" PARENT_SCOPE)
  if(code EQUAL 0 AND said MATCHES "^reformerc ([0-9.]+)")
    set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
  endif()
endfunction()

function(_reformerc_import program)
  add_executable(reformerc::reformerc IMPORTED GLOBAL)
  set_target_properties(reformerc::reformerc PROPERTIES IMPORTED_LOCATION "${program}")
endfunction()

# Environment and toolchain of the other machine do not reach it.
function(_reformerc_build_host)
  include(ExternalProject)
  set(folder ${PROJECT_BINARY_DIR}/host)
  set(clean ${CMAKE_COMMAND} -E env --unset=CC --unset=CFLAGS --unset=CPPFLAGS --unset=LDFLAGS --unset=CMAKE_TOOLCHAIN_FILE
            --unset=PKG_CONFIG_PATH --unset=PKG_CONFIG_LIBDIR --unset=PKG_CONFIG_SYSROOT_DIR ${CMAKE_COMMAND})
  set(options -DCMAKE_BUILD_TYPE=Release -DREFORMERC_TESTS=OFF -DREFORMERC_WERROR=OFF -DREFORMERC_LLVM=OFF
              -DREFORMERC_SENTENCEPIECE=OFF -DREFORMERC_MPI=OFF)
  if(REFORMERC_HOST_CC)
    list(APPEND options -DCMAKE_C_COMPILER=${REFORMERC_HOST_CC})
  endif()
  if(CMAKE_C_COMPILER_LAUNCHER)
    list(APPEND options "-DCMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER}")
  endif()
  ExternalProject_Add(reformerc_host EXCLUDE_FROM_ALL ON SOURCE_DIR ${PROJECT_SOURCE_DIR} BINARY_DIR ${folder}
    CONFIGURE_COMMAND ${clean} -S ${PROJECT_SOURCE_DIR} -B ${folder} -G ${CMAKE_GENERATOR} ${options}
    BUILD_COMMAND ${clean} --build ${folder} --target reformerc BUILD_ALWAYS ON
    BUILD_BYPRODUCTS ${folder}/bin/reformerc INSTALL_COMMAND "")
  _reformerc_import(${folder}/bin/reformerc)
  set_target_properties(reformerc::reformerc PROPERTIES REFORMERC_MADE_BY reformerc_host)
endfunction()

if(REFORMERC_EXECUTABLE)
  _reformerc_version_of("${REFORMERC_EXECUTABLE}" version)
  if(NOT version STREQUAL PROJECT_VERSION)
    message(FATAL_ERROR "REFORMERC_EXECUTABLE=${REFORMERC_EXECUTABLE} is version '${version}', this is ${PROJECT_VERSION}")
  endif()
  _reformerc_import("${REFORMERC_EXECUTABLE}")
elseif(NOT REFORMERC_COMPILER AND CMAKE_CROSSCOMPILING)
  find_program(REFORMERC_FOUND_EXECUTABLE reformerc NO_CMAKE_FIND_ROOT_PATH)
  set(version "")
  if(REFORMERC_FOUND_EXECUTABLE)
    _reformerc_version_of("${REFORMERC_FOUND_EXECUTABLE}" version)
  endif()
  if(version STREQUAL PROJECT_VERSION)
    _reformerc_import("${REFORMERC_FOUND_EXECUTABLE}")
  else()
    _reformerc_build_host()
  endif()
endif()
