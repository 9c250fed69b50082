# Compilers by the names that tests call them (cc, gcc, clang), but which do not optimise, whatever is asked of them:
# a half to a quarter of the time; and LLVM likewise, a third of it. For tests that are about what generated code says, not
# about what optimisers make of it; that is for golden_*_jit, golden_*_one, golden_*_turns and golden_*_identical, products, the emitters'
# tests, and the long forms. gcc reads the intrinsics' header, most of a small file's time, compiled ahead (where it was
# compiled otherwise, as it is; assembly, which is no C, goes without). They have a compile cache of their own.
set(quick ${PROJECT_BINARY_DIR}/quick)
file(CONFIGURE OUTPUT ${quick}/ahead.h CONTENT
     "#if defined(__x86_64__) && !defined(__ASSEMBLER__)
#define _MM_MALLOC_H_INCLUDED /* it brings stdlib.h before a file has said which POSIX it wants */
#include <immintrin.h>
#endif
")
find_program(quick_gcc gcc)
find_program(quick_clang clang)
set(quick_cc ${CMAKE_C_COMPILER})
# What --version says is part of a cache's key.
foreach(name cc gcc clang)
  set(more "")
  if(name STREQUAL gcc OR (name STREQUAL cc AND CMAKE_C_COMPILER_ID STREQUAL GNU))
    set(more "-include '${quick}/ahead.h'")
  endif()
  if(quick_${name})
    file(CONFIGURE OUTPUT ${quick}/${name} CONTENT
         "#!/bin/sh
[ \"$1\" != --version ] || echo quick
case \" $* \" in *' -fsyntax-only '* | *' -std=c99 '* | *' -std=c17 '*) exec '${quick_${name}}' \"$@\" -O0 ;; esac
exec '${quick_${name}}' \"$@\" -O0 ${more}
")
    file(CHMOD ${quick}/${name} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
endforeach()
# gcc takes the one of these that fits: of libraries or programs, of C11 or what it takes for C by itself. Where none does,
# it reads the header for every file, whether that has intrinsics or not: the script above leaves it out there.
if(quick_gcc)
  set(ahead "")
  foreach(language "" -std=c11)
    foreach(code "" -fPIC)
      set(file ${quick}/ahead.h.gch/as${language}${code})
      add_custom_command(OUTPUT ${file} DEPENDS ${quick}/ahead.h VERBATIM
                         COMMAND ${CMAKE_COMMAND} -E make_directory ${quick}/ahead.h.gch
                         COMMAND ${quick_gcc} ${language} ${code} -O0 -x c-header ${quick}/ahead.h -o ${file})
      list(APPEND ahead ${file})
    endforeach()
  endforeach()
  add_custom_target(quick_intrinsics ALL DEPENDS ${ahead})
endif()

# These programs are quick where the environment says so (quick.c).
add_library(quick OBJECT quick.c)
target_include_directories(quick PRIVATE ${PROJECT_SOURCE_DIR}/compiler ${PROJECT_SOURCE_DIR}/runtime)
target_link_options(quick INTERFACE -Wl,--wrap=tiles_for,--wrap=stream_array_bytes,--wrap=calibration_rate,--wrap=timed_inner)
if(LLVM_FOUND)
  target_compile_definitions(quick PRIVATE REFORMERC_QUICK_LLVM=1)
  target_link_libraries(quick PRIVATE LLVM::C)
  target_link_options(quick INTERFACE -Wl,--wrap=llvm_load)
endif()
function(quick_programs)
  foreach(target IN LISTS ARGN)
    target_link_libraries(${target} PRIVATE quick)
  endforeach()
endfunction()

# Those of these tests that there are, of the folder that calls it: their compilers.
function(compile_c_quickly)
  foreach(test IN LISTS ARGN)
    if(TEST ${test})
      set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT CC=cc)
      set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT_MODIFICATION PATH=path_list_prepend:${quick})
    endif()
  endforeach()
endfunction()
# LLVM as well. Not where models run for longer than they compile: their code is five times slower. Its cache does not
# tell such code from other.
function(compile_quickly)
  compile_c_quickly(${ARGN})
  foreach(test IN LISTS ARGN)
    if(TEST ${test})
      set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT QUICK_LLVM=1)
      set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT_MODIFICATION REFORMERC_CACHE=set:${PROJECT_BINARY_DIR}/quick-cache)
    endif()
  endforeach()
endfunction()

# Of those of these tests that there are: their environment has SETTING, too.
function(set_for_tests setting)
  foreach(test IN LISTS ARGN)
    if(TEST ${test})
      set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT ${setting})
    endif()
  endforeach()
endfunction()

# Little code, too: no result depends on how it is cut into tiles, which lower_tiles says, and each case of golden_*_jit with
# tiles as they are.
function(compile_little)
  set_for_tests(QUICK_TILES=1 ${ARGN})
endfunction()

# What measures does so in no time: for tests that ask for no speed.
function(measure_briefly)
  set_for_tests(QUICK_CLOCK=1 ${ARGN})
endfunction()

# What a test says of any CPU it says of an old one as well, whose code is half as long as that of the newest and takes half
# as long to compile: CPU is the best target then (runtime/cpu.c), where this machine is of its family.
function(run_on_old_cpu cpu)
  set_for_tests(REFORMER_CPU=${cpu} ${ARGN})
endfunction()
