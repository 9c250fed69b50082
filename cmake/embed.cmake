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

# Several as a table: embed_files(OUT.c NAME HEADER.h FILE...), where HEADER.h declares runtime_file_t NAME[]. By name,
# whatever order the file system has.
function(embed_files out name header)
  set(text "/* Files as text, made by cmake/embed.cmake. */\n#include \"${header}\"\n\n")
  set(rows "")
  set(files ${ARGN})
  list(SORT files)
  foreach(file IN LISTS files)
    get_filename_component(from ${file} NAME)
    string(MAKE_C_IDENTIFIER "text_of_${from}" array)
    file(READ ${file} content)
    string(REPLACE "\\" "\\\\" content "${content}")
    string(REPLACE "\"" "\\\"" content "${content}")
    string(REPLACE "\n" "\\n\"\n    \"" content "${content}")
    string(APPEND text "static const char ${array}[] =\n    \"${content}\";\n\n")
    string(APPEND rows "    {\"${from}\", ${array}},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  string(APPEND text "const runtime_file_t ${name}[] = {\n${rows}    {0, 0},\n};\n")
  file(CONFIGURE OUTPUT ${out} CONTENT "@text@" @ONLY)
endfunction()
