# program_module(NAME SOURCE LIBRARY): SOURCE with LIBRARY, in a file of its own that the program loads when it needs it
# (compiler/support/module.h): lib/reformerc/NAME.so, beside the bin/ of the build tree as where it is installed.
function(program_module name source library)
  set(symbols ${PROJECT_SOURCE_DIR}/cmake/module.map)
  add_library(reformerc_${name} MODULE ${source})
  target_include_directories(reformerc_${name} PRIVATE compiler)
  target_link_libraries(reformerc_${name} PRIVATE ${library})
  target_compile_definitions(reformerc_${name} PRIVATE REFORMERC_MODULE_VERSION="${PROJECT_VERSION}")
  target_link_options(reformerc_${name} PRIVATE LINKER:--version-script=${symbols})
  set_target_properties(reformerc_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} SUFFIX .so LINK_DEPENDS ${symbols} SKIP_BUILD_RPATH ON
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_LIBDIR}/reformerc
    CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  add_dependencies(reformerc_internal reformerc_${name})
  if(PROJECT_IS_TOP_LEVEL)
    install(TARGETS reformerc_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/reformerc)
  else()
    set_target_properties(reformerc_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()
if(SENTENCEPIECE_FOUND)
  program_module(sentencepiece compiler/text/sentencepiece.cc SentencePiece::processor)
endif()
if(MPI_C_FOUND)
  program_module(mpi compiler/ranks/mpi.c MPI::MPI_C)
endif()
