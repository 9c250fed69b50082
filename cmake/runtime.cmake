# reformer_rt: what products link. It needs threads of the system, and nothing where a product defines
# REFORMER_WITHOUT_THREADS; with REFORMERC_OPENMP those that it starts itself are OpenMP's (runtime/openmp.c). Sets
# runtime_flags, what its users' link lines need, and writes reformer_rt.pc.
include(GNUInstallDirs)
option(REFORMERC_OPENMP "calls without a pool run on OpenMP's threads, not on ones that they start" OFF)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

include(cmake/reformercRuntime.cmake)
reformerc_runtime_library(reformer_rt ${PROJECT_SOURCE_DIR}/runtime CONFIGURE_DEPENDS)
target_compile_options(reformer_rt PRIVATE -Wconversion)
set_target_properties(reformer_rt PROPERTIES C_EXTENSIONS OFF)
add_library(reformerc::reformer_rt ALIAS reformer_rt)
if(NOT PROJECT_IS_TOP_LEVEL)
  set_target_properties(reformer_rt PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
set(runtime_flags -pthread)
if(REFORMERC_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS C) # what it said in the function stays there
  if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    # what clang compiled needs its own library, and a product may be linked by gcc, which has no flag for it
    foreach(name IN LISTS OpenMP_C_LIB_NAMES)
      list(APPEND runtime_flags "${OpenMP_${name}_LIBRARY}")
    endforeach()
  else()
    list(APPEND runtime_flags ${OpenMP_C_FLAGS})
  endif()
endif()
if(REFORMERC_SANITIZE)
  list(APPEND runtime_flags -fsanitize=${REFORMERC_SANITIZE})
endif()
list(JOIN runtime_flags " " runtime_flags)

# From pkg-config's folder up to the prefix, so that the tree may be moved.
file(RELATIVE_PATH pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/reformer_rt.pc.in ${PROJECT_BINARY_DIR}/reformer_rt.pc @ONLY)

# As a library, and as sources for who builds for another machine, or with flags of his own.
set(installed_runtime ${CMAKE_INSTALL_DATADIR}/reformerc/runtime)
if(PROJECT_IS_TOP_LEVEL)
  install(TARGETS reformer_rt EXPORT reformercRuntimeTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES runtime/reformer_rt.h runtime/reformer_generate.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES ${PROJECT_BINARY_DIR}/reformer_rt.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  install(DIRECTORY runtime/ DESTINATION ${installed_runtime} FILES_MATCHING PATTERN "*.[ch]")
  install(DIRECTORY runtime/web DESTINATION ${installed_runtime} USE_SOURCE_PERMISSIONS)
endif()
