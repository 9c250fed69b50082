# libreformerc.a, what C programs link: the compiler without its command line, and what only that needs, as one object whose only global symbols are
# those of reformerc.h, so that a program may have functions of its own called store_load or bug. And reformerc.pc.
set(public_library ${PROJECT_BINARY_DIR}/lib/libreformerc.a)
set(public_folders ${folders})
list(REMOVE_ITEM public_folders data commands)
list(TRANSFORM public_folders REPLACE "(.+)" "$<TARGET_OBJECTS:rf_\\1>" OUTPUT_VARIABLE public_objects)
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
add_custom_target(public_library ${all} DEPENDS ${public_library})

# There is no shared library that would bring its own: what the archive needs stands among the public fields, and
# programs link with --static or without.
file(RELATIVE_PATH pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
set(pc_libs "${runtime_flags} -lpthread -lm")
foreach(lib IN LISTS CMAKE_DL_LIBS)
  string(APPEND pc_libs " -l${lib}")
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/reformerc.pc.in ${PROJECT_BINARY_DIR}/reformerc.pc @ONLY)
