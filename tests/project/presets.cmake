# Presets of sanitizers can be configured: their settings stand in conditions that no other build comes by. Without tests,
# whose folders take most of the time.
#   SOURCE_DIR, WORK_DIR
foreach(preset asan tsan)
  file(REMOVE_RECURSE ${WORK_DIR}/${preset})
  execute_process(COMMAND ${CMAKE_COMMAND} --preset ${preset} -DREFORMERC_TESTS=OFF -B ${WORK_DIR}/${preset}
                  WORKING_DIRECTORY ${SOURCE_DIR} RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(code)
    message(FATAL_ERROR "preset ${preset}:\n${said}")
  endif()
endforeach()
