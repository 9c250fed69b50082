# MPI_C_FOUND, and MPI::MPI_C to link with: training on several machines. Only the program uses it, and
# one module of it.
if(REFORMERC_MPI)
  find_package(MPI QUIET COMPONENTS C)
else()
  set(MPI_C_FOUND FALSE)
endif()
if(MPI_C_FOUND)
  message(STATUS "MPI ${MPI_C_VERSION}: ${MPI_C_COMPILER}")
else()
  message(STATUS "no MPI: training runs on one machine (Debian: libopenmpi-dev openmpi-bin)")
endif()
