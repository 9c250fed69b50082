# The runtime, compiled by the project that uses it: where the installed library is of another machine, or where the
# project says REFORMERC_RUNTIME_FROM_SOURCES (its sanitizers, its link-time optimisation). FOLDER holds its sources.
function(reformerc_runtime_from_sources folder)
  file(GLOB sources "${folder}/*.c")
  add_library(reformerc_runtime STATIC EXCLUDE_FROM_ALL ${sources})
  target_include_directories(reformerc_runtime PUBLIC "${folder}")
  target_compile_features(reformerc_runtime PRIVATE c_std_11)
  target_compile_options(reformerc_runtime PRIVATE -fno-fast-math -ffp-contract=off
                         $<$<OR:$<CONFIG:Debug>,$<CONFIG:>>:-O2>)
  set_target_properties(reformerc_runtime PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF)
  target_link_libraries(reformerc_runtime PUBLIC Threads::Threads)
  add_library(reformerc::reformer_rt ALIAS reformerc_runtime)
endfunction()
