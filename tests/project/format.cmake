# Every C and C++ file is as clang-format leaves it.   cmake -D SOURCE_DIR=… -D CLANG_FORMAT=… -P format.cmake
# Generated code (generated/) is written by the emitter and is not formatted by a tool.
file(GLOB_RECURSE files ${SOURCE_DIR}/compiler/*.c ${SOURCE_DIR}/compiler/*.hpp ${SOURCE_DIR}/compiler/*.cc ${SOURCE_DIR}/compiler/*.h
     ${SOURCE_DIR}/runtime/*.c ${SOURCE_DIR}/runtime/*.h ${SOURCE_DIR}/tests/*.c ${SOURCE_DIR}/tests/*.cc
     ${SOURCE_DIR}/tests/*.h)
list(LENGTH files count)
execute_process(COMMAND ${CLANG_FORMAT} --dry-run -Werror --ferror-limit=1 ${files}
                RESULT_VARIABLE code ERROR_VARIABLE text)
if(NOT code EQUAL 0)
  string(REGEX MATCHALL "[^\n]*error: code should be clang-formatted[^\n]*" places "${text}")
  string(REPLACE ";" "\n" places "${places}")
  message(FATAL_ERROR "run clang-format -i on:\n${places}\n")
endif()
message(STATUS "${count} files are formatted")
