# Run by cpack on what was installed, before it is packed: what Debian asks of a package beyond `cmake --install`.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
set(share ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share)
set(doc ${share}/doc/reformerc)
find_program(GZIP gzip REQUIRED)
function(compress)
  execute_process(COMMAND ${GZIP} -9n ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# its shells look elsewhere
file(MAKE_DIRECTORY ${share}/zsh)
file(RENAME ${share}/zsh/site-functions ${share}/zsh/vendor-completions)

file(COPY_FILE ${doc}/docs/CHANGELOG.md ${doc}/changelog)
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC) # SOURCE_DATE_EPOCH where it is set
file(WRITE ${doc}/changelog.Debian "reformerc (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; \
urgency=medium\n\n  * As changelog.gz says.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${now}\n")
file(WRITE ${doc}/copyright "reformerc\n\nNo licence has been chosen yet: that is the owner's to do. Until then this package is not to be passed on.\n")
file(GLOB pages ${share}/man/man1/*.1)
compress(${pages} ${doc}/changelog ${doc}/changelog.Debian)

find_program(STRIP strip REQUIRED)
file(GLOB_RECURSE archives ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/lib/*.a)
execute_process(COMMAND ${STRIP} --strip-debug --remove-section=.comment --remove-section=.note --enable-deterministic-archives
                        ${archives} COMMAND_ERROR_IS_FATAL ANY)
