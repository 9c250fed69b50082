# layers.cmake itself: a tree with one violation of each kind must fail, naming each.
#   cmake -D SOURCE_DIR=… -D WORK_DIR=… -P layers_test.cmake
file(REMOVE_RECURSE ${WORK_DIR})
file(COPY ${SOURCE_DIR}/compiler ${SOURCE_DIR}/runtime DESTINATION ${WORK_DIR})
function(violate file line)
  file(WRITE ${WORK_DIR}/${file} "${line}\n")
endfunction()
violate(compiler/graph/zz.c "#include \"loops/loops.h\"")
violate(compiler/loops/zz.c "#include \"graph/graph.h\"")
violate(compiler/emit/zz.c "#include \"graph/evaluate.h\"")
violate(compiler/lower/zz.c "#include <yaml.h>")
violate(compiler/weights/zz.c "#include <jansson.h>")
violate(compiler/session/zz.c "# include <llvm-c/Core.h>")
violate(compiler/text/zy.c "#include \"session/session.h\"")
violate(compiler/report/zz.c "#include \"cli/options.h\"")
violate(compiler/commands/bench/zz.c "#include \"commands/tune/tune.h\"")
violate(compiler/training/zz.c "#include \"commands/train/train.h\"")
violate(compiler/session/zy.cc "#include <sentencepiece_processor.h>")
violate(runtime/zz.c "#include \"support/arena.h\"")
violate(runtime/zy.c "#include <stdlib.h>")
violate(runtime/zx.c "  #pragma omp parallel for")
violate(compiler/newcomer/zz.c "")
execute_process(COMMAND ${CMAKE_COMMAND} -D SOURCE_DIR=${WORK_DIR} -P ${SOURCE_DIR}/tests/project/layers.cmake
                RESULT_VARIABLE code ERROR_VARIABLE text OUTPUT_QUIET)
file(REMOVE_RECURSE ${WORK_DIR})
string(REGEX REPLACE "[ \n]+" " " text "${text}")
foreach(word IN ITEMS "graph may not include \"loops/loops.h\"" "loops may not include \"graph/graph.h\""
        "emit may not include \"graph/evaluate.h\"" "<yaml.h> has its home" "<jansson.h> has its home"
        "<llvm-c/Core.h> has its home" "<sentencepiece_processor.h> has its home"
        "text may not include \"session/session.h\"" "report may not include \"cli/options.h\""
        "commands/bench/zz.c: a command's folder may not include another's \"commands/tune/tune.h\""
        "training may not include \"commands/train/train.h\""
        "runtime may not include \"support/arena.h\""
        "does without <stdlib.h>" "runtime/zx.c: all OpenMP" "'newcomer' has no row")
  string(FIND "${text}" "${word}" at)
  if(code EQUAL 0 OR at LESS 0)
    message(SEND_ERROR "not noticed: ${word}")
  endif()
endforeach()
