# Who may include whom.   cmake -D SOURCE_DIR=… -P layers.cmake
#
# One row per folder: `own` headers it may use, as prefixes of the path in the #include ("runtime" is
# its public headers). A stage sees what comes before it, never what comes after. Third-party and special
# system headers have one home each. Unknown folders are an error, so that a new one gets a row.

set(may_support  support/)
set(may_spec     spec/ support/ runtime)
set(may_graph    graph/ spec/ support/ philox.h runtime)
set(may_loops    loops/ support/ runtime)
set(may_lower    lower/ graph/graph.h graph/dropout.h graph/update.h loops/loops.h weights/layout.h support/ runtime)
set(may_data     data/ support/ philox.h)
set(may_weights  weights/ graph/graph.h graph/update.h spec/ support/ runtime)
set(may_plan     plan/ lower/lower.h lower/update.h graph/graph.h graph/update.h graph/model.h weights/weights.h weights/layout.h spec/spec.h spec/patterns.h support/ runtime)
set(may_emit     emit/ plan/ loops/ graph/graph.h spec/spec.h weights/weights.h support/ runtime)
set(may_exec     exec/ emit/emit.h emit/llvm.h graph/ plan/ lower/ loops/ weights/weights.h spec/ support/ runtime)
set(may_library  library/ reformerc.h exec/ emit/emit.h graph/graph.h graph/model.h plan/plan.h weights/weights.h spec/spec.h spec/buckets.h
                 support/ runtime)
# The program, from what knows no command line to the commands. A command's folder includes no other command's: what two share
# stands in a room below them.
set(may_cost     cost/ plan/plan.h loops/loops.h emit/emit.h spec/spec.h support/ runtime)
set(may_report   report/ support/)
set(may_tensors  tensors/ plan/plan.h weights/weights.h support/ runtime)
set(may_compare  compare/ tensors/ exec/exec.h support/ runtime)
set(may_text     text/ graph/model.h support/)
set(may_checkpoint checkpoint/ report/fields.h weights/weights.h spec/spec.h spec/tree.h spec/numbers.h support/)
set(may_ranks    ranks/ support/)
set(may_cli      cli/ report/gnuplot.h exec/exec.h exec/settle.h exec/targets.h emit/llvm.h spec/spec.h support/)
set(may_machine  machine/ cli/options.h cost/ report/fields.h exec/exec.h graph/model.h support/)
set(may_session  session/ machine/ cli/ cost/ tensors/ text/ exec/ emit/emit.h graph/model.h spec/buckets.h support/ runtime)
set(may_training training/ session/ machine/ cli/ cost/ report/ tensors/ text/ checkpoint/ ranks/ data/data.h exec/learn.h
                 exec/settle.h loops/loops.h weights/weights.h support/ runtime)
set(may_commands commands/ training/ session/ machine/ cli/ cost/ report/ tensors/ compare/ text/ exec/ emit/emit.h emit/llvm.h
                 weights/weights.h spec/spec.h support/ runtime)
set(may_main.c   cli/ commands/commands.h machine/tuning.h support/)
set(may_reformerc.h runtime)
set(may_reformerc.hpp reformerc.h)
set(may_runtime  runtime)
set(may_web      heap.h model.h runtime) # runtime/web: a product, of a model that is translated as `model`

# header → where it may be included
set(homes
  "yaml\\.h|^compiler/spec/"
  "jansson\\.h|^compiler/weights/(safetensors)?(st_writer)?(index)?(json)?\\.c$"
  "llvm(-c)?/.*|^compiler/emit/llvm_"
  "mpi\\.h|^compiler/ranks/mpi\\.c$"
  "sentencepiece_.*\\.h|^compiler/text/sentencepiece\\.cc$"
  "omp\\.h|^runtime/openmp\\.c$"
  "dlfcn\\.h|^compiler/(exec/[a-z]*)?(emit/llvm_load)?(support/module)?\\.c$"
  "pthread\\.h|^(runtime/pool)?(compiler/emit/llvm_target)?\\.c$"
  "getopt\\.h|^compiler/cli/options\\.c$"
  "sys/mman\\.h|^compiler/support/(input)?(pages)?\\.c$")
# headers that the runtime must do without: it allocates nothing, prints nothing, has no errno, no libm
set(runtime_bans "stdlib\\.h|stdio\\.h|errno\\.h|math\\.h|assert\\.h")

set(errors 0)
macro(complain)
  message(SEND_ERROR ${ARGN})
  math(EXPR errors "${errors} + 1")
endmacro()

function(allowed folder header result)
  if(header MATCHES "^reformer_(rt|generate)\\.h$" OR (folder STREQUAL runtime AND EXISTS ${SOURCE_DIR}/runtime/${header}))
    set(header runtime)
  endif()
  set(${result} FALSE PARENT_SCOPE)
  foreach(prefix IN LISTS may_${folder})
    string(FIND "${header}" "${prefix}" at)
    if(at EQUAL 0)
      set(${result} TRUE PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

macro(check_own file folder header)
  allowed(${folder} ${header} ok)
  string(REGEX MATCH "^compiler/commands/[^/]+/" command ${file})
  string(FIND "compiler/${header}" "${command}" at)
  if(command AND "${header}" MATCHES "^commands/.*/" AND NOT at EQUAL 0)
    complain("${file}: a command's folder may not include another's \"${header}\"")
  elseif(NOT ok)
    complain("${file}: ${folder} may not include \"${header}\"")
  endif()
endmacro()

macro(check_system file folder header)
  foreach(row IN LISTS homes)
    string(REGEX REPLACE "\\|.*" "" name "${row}")
    string(REGEX REPLACE "^[^|]*\\|" "" home "${row}")
    if("${header}" MATCHES "^${name}$" AND NOT "${file}" MATCHES "${home}")
      complain("${file}: <${header}> has its home in ${home}")
    endif()
  endforeach()
  # getenv() of REFORMER_CPU
  if("${file}" STREQUAL "runtime/cpu.c" AND "${header}" STREQUAL "stdlib.h")
  elseif("${folder}" STREQUAL "runtime" AND "${header}" MATCHES "^(${runtime_bans})$")
    complain("${file}: the runtime does without <${header}>")
  endif()
endmacro()

file(GLOB_RECURSE files RELATIVE ${SOURCE_DIR} ${SOURCE_DIR}/compiler/*.[chd]* ${SOURCE_DIR}/runtime/*.[ch])
list(LENGTH files count)
if(count LESS 40)
  complain("only ${count} files found: is SOURCE_DIR right?")
endif()
foreach(file IN LISTS files)
  string(REGEX REPLACE "^(compiler/)?([^/]+).*" "\\2" folder ${file})
  if(file MATCHES "^runtime/web/")
    set(folder web)
  endif()
  if(NOT DEFINED may_${folder})
    complain("${file}: folder '${folder}' has no row in layers.cmake")
    continue()
  endif()
  file(STRINGS ${SOURCE_DIR}/${file} lines REGEX "^[ \t]*#[ \t]*(include|pragma[ \t]+omp)")
  foreach(line IN LISTS lines)
    if(line MATCHES "include[ \t]*\"([^\"]+)\"")
      check_own(${file} ${folder} ${CMAKE_MATCH_1})
    elseif(line MATCHES "include[ \t]*<([^>]+)>")
      check_system(${file} ${folder} ${CMAKE_MATCH_1})
    elseif(line MATCHES "pragma" AND NOT file STREQUAL "runtime/openmp.c")
      complain("${file}: all OpenMP stands in runtime/openmp.c")
    endif()
  endforeach()
endforeach()
message(STATUS "${count} files, ${errors} wrong")
