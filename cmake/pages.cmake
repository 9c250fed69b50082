# Run by `cmake --install` on the pages that it has put into DOC_FOLDER, below the prefix: links to examples and headers lead
# to where those are now, links to what is not installed become text.
set(folder "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${DOC_FOLDER}")
file(GLOB pages "${folder}/docs/*.md" "${folder}/README.md")
foreach(page IN LISTS pages)
  file(READ ${page} text)
  string(REGEX REPLACE "\\]\\(\\.\\./tests/package/consumer/" "](../examples/cmake/" text "${text}")
  string(REGEX REPLACE "\\]\\(\\.\\./tests/(cli|library)/([a-z]+[.]cc?\\))" "](../examples/\\2" text "${text}")
  string(REGEX REPLACE "\\]\\(((\\.\\./)?)specs/([^)]*[.]yaml\\)|\\))" "](\\1examples/specs/\\3" text "${text}")
  string(REGEX REPLACE "\\]\\(\\.\\./(runtime|compiler)/(reformer[a-z_]*[.]h)\\)" "](../../../../include/\\2)" text "${text}")
  string(REPLACE "](../runtime/web/" "](../../../reformerc/runtime/web/" text "${text}")
  string(REGEX REPLACE "\\[([^]]*)\\]\\(\\.\\./(tests|compiler|generated|runtime)/[^)]*\\)" "\\1" text "${text}")
  file(WRITE ${page} "${text}")
endforeach()
