# What the runtime's library is, in our own build and in that of a project which compiles the installed sources: for another
# machine, or where it says REFORMERC_RUNTIME_FROM_SOURCES (its sanitizers, its link-time optimisation). FOLDER holds the
# sources; Threads have been found; what follows goes to file(GLOB). It needs threads of the system; with REFORMERC_OPENMP those that calls start themselves are
# OpenMP's (runtime/openmp.c).
function(reformerc_runtime_library target folder)
  file(GLOB sources ${ARGN} "${folder}/*.c")
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${folder}>")
  target_compile_features(${target} PRIVATE c_std_11)
  # a project may ask for -Ofast
  target_compile_options(${target} PRIVATE -fno-fast-math -ffp-contract=off)
  target_link_libraries(${target} PUBLIC Threads::Threads)
  if(REFORMERC_OPENMP)
    find_package(OpenMP REQUIRED COMPONENTS C)
    target_compile_definitions(${target} PRIVATE REFORMER_OPENMP)
    set_source_files_properties("${folder}/openmp.c" PROPERTIES COMPILE_OPTIONS "${OpenMP_C_FLAGS}")
    target_link_libraries(${target} PUBLIC OpenMP::OpenMP_C)
  endif()
endfunction()
