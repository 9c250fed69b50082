# `cmake --install`: the compiler, its pages of man and completions; the library with its header and pkg-config files; the
# CMake package; docs and examples. The runtime is runtime.cmake's.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS reformerc EXPORT reformercTargets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES compiler/reformerc.h compiler/reformerc.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${public_library} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS reformerc_shared EXPORT reformercLibraryTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_BINARY_DIR}/reformerc.pc ${PROJECT_BINARY_DIR}/reformerc-static.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# ---- find_package(reformerc CONFIG) ----
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/reformerc)
set(runtime_dependencies "set(THREADS_PREFER_PTHREAD_FLAG ON)\n  find_dependency(Threads)")
if(REFORMERC_OPENMP)
  string(APPEND runtime_dependencies "\n  find_dependency(OpenMP COMPONENTS C)")
endif()
set(runtime_dependencies "if(CMAKE_C_COMPILER_LOADED) # without C reformerc_add_model says what is missing
  ${runtime_dependencies}
endif()")
configure_package_config_file(cmake/reformercConfig.cmake.in ${PROJECT_BINARY_DIR}/package/reformercConfig.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS installed_runtime)
# the compiler serves any machine that its code is for, and of 0.x versions no two belong together
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/reformercConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
foreach(set IN ITEMS "" Library Runtime)
  install(EXPORT reformerc${set}Targets NAMESPACE reformerc:: DESTINATION ${package_folder})
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/package/reformercConfig.cmake ${PROJECT_BINARY_DIR}/package/reformercConfigVersion.cmake
              cmake/reformercModel.cmake cmake/reformercRuntime.cmake DESTINATION ${package_folder})

# ---- man, completion: printed by the program ----
if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
  set(manual ${PROJECT_BINARY_DIR}/manual)
  add_custom_command(OUTPUT ${manual}/done
    COMMAND ${CMAKE_COMMAND} "-DPROGRAM=${CMAKE_CROSSCOMPILING_EMULATOR};$<TARGET_FILE:reformerc>" -DFOLDER=${manual}
            -P ${PROJECT_SOURCE_DIR}/cmake/manual.cmake
    DEPENDS reformerc ${PROJECT_SOURCE_DIR}/cmake/manual.cmake COMMENT "Printing pages of man and completions" VERBATIM)
  add_custom_target(reformerc_manual ALL DEPENDS ${manual}/done)
  install(DIRECTORY ${manual}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
  install(FILES ${manual}/reformerc DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${manual}/_reformerc DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${manual}/reformerc.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()

# ---- docs, examples ----
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(CODE "set(DOC_FOLDER \"${CMAKE_INSTALL_DOCDIR}\")")
install(SCRIPT cmake/pages.cmake)
install(FILES tests/cli/product.c tests/cli/product.cc tests/cli/writer.c tests/cli/adapt.c tests/library/example.c
        tests/library/example.cc tests/library/example.rs tests/python/example.py
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY specs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/specs FILES_MATCHING PATTERN "*.yaml")
install(DIRECTORY tests/package/consumer/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/cmake)
