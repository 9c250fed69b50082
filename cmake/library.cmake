# The library, what programs link: the compiler without its command line, and what only that needs. Its only global symbols are
# those of reformerc.h, so that a program may have functions of its own called store_load or bug. As an archive, whose one
# object still needs the runtime, libyaml and the others; and as a shared library that brings its own. And their pkg-config files.
set(public_library ${PROJECT_BINARY_DIR}/lib/libreformerc.a)
list(TRANSFORM library_folders REPLACE "(.+)" "$<TARGET_OBJECTS:reformerc_\\1>" OUTPUT_VARIABLE public_objects)
set(one_object ${PROJECT_BINARY_DIR}/reformerc.o)
add_custom_command(OUTPUT ${public_library}
  COMMAND ${CMAKE_LINKER} -r -o ${one_object} ${public_objects}
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=reformerc_* ${one_object}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${public_library}
  COMMAND ${CMAKE_AR} qcs ${public_library} ${one_object}
  DEPENDS ${public_objects} COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "Joining libreformerc.a")
set(all "")
if(PROJECT_IS_TOP_LEVEL)
  set(all ALL)
endif()
add_custom_target(reformerc_archive ${all} DEPENDS ${public_library})

# The major version is the so-name's: docs/stability.md says what a change of it means.
set(symbols ${PROJECT_SOURCE_DIR}/cmake/libreformerc.map)
add_library(reformerc_shared SHARED ${public_objects})
set_target_properties(reformerc_shared PROPERTIES
  OUTPUT_NAME reformerc VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib LINK_DEPENDS ${symbols} EXPORT_NAME library)
target_include_directories(reformerc_shared INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/compiler>
                                                      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime>)
add_library(reformerc::library ALIAS reformerc_shared)
target_link_options(reformerc_shared PRIVATE LINKER:--version-script=${symbols})
if(NOT REFORMERC_SANITIZE) # whose runtime is the program's
  target_link_options(reformerc_shared PRIVATE LINKER:-z,defs)
endif()
target_link_libraries(reformerc_shared PRIVATE reformer_rt PkgConfig::YAML PkgConfig::JANSSON Threads::Threads m
                                               ${CMAKE_DL_LIBS})
if(NOT PROJECT_IS_TOP_LEVEL)
  set_target_properties(reformerc_shared PROPERTIES EXCLUDE_FROM_ALL ON)
endif()

# reformerc.pc is the shared library's, which needs nothing beside it; reformerc-static.pc the archive's.
set(pc_static "${runtime_flags} -lm")
foreach(lib IN LISTS CMAKE_DL_LIBS)
  string(APPEND pc_static " -l${lib}")
endforeach()
set(pc_name reformerc)
set(pc_kind "as a shared library")
set(pc_requires "")
set(pc_libs "-L\${libdir} -lreformerc")
configure_file(${PROJECT_SOURCE_DIR}/cmake/reformerc.pc.in ${PROJECT_BINARY_DIR}/reformerc.pc @ONLY)
set(pc_name reformerc-static)
set(pc_kind "as an archive")
set(pc_requires "yaml-0.1 jansson")
set(pc_libs "\${libdir}/libreformerc.a \${libdir}/libreformer_rt.a ${pc_static}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/reformerc.pc.in ${PROJECT_BINARY_DIR}/reformerc-static.pc @ONLY)

# What a wheel has beside the package's Python (pyproject.toml): the library alone, under the name that it is loaded by; archives
# of Python's know no links.
if(SKBUILD)
  set_target_properties(reformerc_shared PROPERTIES VERSION ${PROJECT_VERSION_MAJOR})
  install(TARGETS reformerc_shared LIBRARY DESTINATION . COMPONENT python NAMELINK_SKIP)
endif()
