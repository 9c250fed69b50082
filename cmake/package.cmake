# `cpack`: a package for Debian (-G DEB), or an archive (-G TGZ), of what `cmake --install` installs. docs/cmake.md.
set(REFORMERC_PACKAGER "reformerc maintainers <maintainers@reformerc.invalid>" CACHE STRING
    "who answers for packages that cpack makes: Name <address>")
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME reformerc)
set(CPACK_PACKAGE_CONTACT "${REFORMERC_PACKAGER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "compiler for Reformer models")
set(CPACK_PACKAGE_DESCRIPTION "A model description goes in (YAML, or the config.json of a Hugging Face\n\
checkpoint), specialised code comes out: C for a product, an object file,\n\
or machine code in the same process. It trains, evaluates and generates\n\
too. The package holds the program, the library for programs that compile\n\
models, and the runtime that generated code links, also as sources for\n\
other machines, with the CMake function reformerc_add_model().")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)

# dpkg-shlibdeps says which libraries the program and the library are linked with. LLVM is loaded, and only by what runs
# models or writes machine code; a C compiler is needed to go on with a model.c.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(recommends "gcc | c-compiler")
find_program(DPKG_QUERY dpkg-query)
if(LLVM_FOUND AND DPKG_QUERY)
  get_filename_component(llvm_library "${LLVM_FILE}" REALPATH)
  execute_process(COMMAND ${DPKG_QUERY} -S ${llvm_library} OUTPUT_VARIABLE owner ERROR_QUIET)
  if(owner MATCHES "^([a-z0-9.+-]+)(:[a-z0-9]+)?: ")
    string(PREPEND recommends "${CMAKE_MATCH_1}, ")
  endif()
endif()
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "${recommends}")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake, pkg-config, gnuplot-nox, libyaml-dev, libjansson-dev")
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
# CPack's scripts call ldconfig; what Debian asks for is the trigger
file(WRITE ${PROJECT_BINARY_DIR}/package/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/package/triggers)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian.cmake)
include(CPack)
