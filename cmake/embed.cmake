# A text file as a C array of characters: embed(OUT.c NAME FILE declares HEADER.h). Made when CMake runs, and again when
# FILE changes.
function(embed out name file header)
  file(READ ${file} text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
  get_filename_component(from ${file} NAME)
  file(CONFIGURE OUTPUT ${out} CONTENT
    "/* ${from} as text, made by cmake/embed.cmake. */\n#include \"@header@\"\n\nconst char @name@[] =\n    \"@text@\";\n"
    @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
endfunction()
