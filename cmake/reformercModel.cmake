# reformerc_add_model(): a model as a library target, from an installed reformerc (find_package), from add_subdirectory or
# from FetchContent. docs/cmake.md is its page.
#
#   reformerc_add_model(TARGET SPEC model.yaml [WEIGHTS w.safetensors] [TARGETS x86-64-v3 …] [SET key=value …] [NAME name]
#                       [EMBED_WEIGHTS] [STANDALONE] [STATIC | SHARED | OBJECT]
#                       [WEIGHTS_DIRECTORY dir] [OPTIONS …] [DEPENDS file …])
#
# TARGET holds the generated code, shows its header and links the runtime. The property REFORMERC_WEIGHTS_FILE of TARGET
# says where the packed weights are: in WEIGHTS_DIRECTORY, else where the variable REFORMERC_WEIGHTS_DIRECTORY says, else
# beside the code.
cmake_policy(PUSH)
cmake_policy(VERSION 3.25)

# What a checkpoint folder is read from.
function(_reformerc_folder_files folder result)
  file(GLOB files CONFIGURE_DEPENDS "${folder}/*.json" "${folder}/*.safetensors" "${folder}/*.model" "${folder}/*.rotations")
  set(${result} "${files}" PARENT_SCOPE)
endfunction()

# A path as the caller means it; "random:7" and the like stay.
function(_reformerc_path path result)
  if(NOT path MATCHES "^random(:[0-9]+)?$")
    get_filename_component(path "${path}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  set(${result} "${path}" PARENT_SCOPE)
endfunction()

# The file, or the files of the folder; what is made while building need not be there yet.
function(_reformerc_input path what result)
  if(path MATCHES "^random(:[0-9]+)?$")
    set(${result} "" PARENT_SCOPE)
    return()
  endif()
  string(FIND "${path}" "${CMAKE_BINARY_DIR}/" made)
  if(NOT EXISTS "${path}" AND NOT made EQUAL 0)
    message(FATAL_ERROR "reformerc_add_model: ${what} ${path} does not exist")
  endif()
  set(files "${path}")
  if(IS_DIRECTORY "${path}")
    _reformerc_folder_files("${path}" files)
  endif()
  set(${result} "${files}" PARENT_SCOPE)
endfunction()

# The code defaults to all levels of the machine that translates. Where another one is built for, to all of that.
function(_reformerc_default_targets result)
  set(arm "aarch64|arm64|ARM64")
  set(x86 "x86_64|AMD64|amd64")
  set(targets "")
  if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL CMAKE_HOST_SYSTEM_PROCESSOR)
    if(EMSCRIPTEN OR CMAKE_SYSTEM_PROCESSOR MATCHES "^wasm")
      set(targets wasm32)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(${arm})$" AND NOT CMAKE_HOST_SYSTEM_PROCESSOR MATCHES "^(${arm})$")
      set(targets aarch64)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(${x86})$" AND NOT CMAKE_HOST_SYSTEM_PROCESSOR MATCHES "^(${x86})$")
      set(targets x86-64 x86-64-v3 x86-64-v4)
    endif()
  endif()
  set(${result} "${targets}" PARENT_SCOPE)
endfunction()

function(_reformerc_check_call target)
  if(NOT CMAKE_C_COMPILER_LOADED) # here: that a subproject has C is of no use to this one
    message(FATAL_ERROR "reformerc_add_model: generated code is C: project(${PROJECT_NAME} LANGUAGES C …)")
  endif()
  if(NOT TARGET reformerc::reformerc)
    message(FATAL_ERROR "reformerc_add_model: there is no compiler: -DREFORMERC_COMPILER=ON builds it, "
                        "-DREFORMERC_EXECUTABLE=/path/to/reformerc takes one of the same version")
  endif()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "reformerc_add_model: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(missing ${arg_KEYWORDS_MISSING_VALUES})
  list(REMOVE_ITEM missing TARGETS SET OPTIONS DEPENDS) # lists may be empty
  if(missing)
    message(FATAL_ERROR "reformerc_add_model(${target}): no value: ${missing}")
  endif()
  if(NOT arg_SPEC)
    message(FATAL_ERROR "reformerc_add_model(${target}): SPEC is missing")
  endif()
  if((arg_STATIC AND arg_SHARED) OR (arg_STATIC AND arg_OBJECT) OR (arg_SHARED AND arg_OBJECT))
    message(FATAL_ERROR "reformerc_add_model(${target}): one of STATIC, SHARED and OBJECT")
  endif()
endfunction()

function(reformerc_add_model target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "EMBED_WEIGHTS;STANDALONE;STATIC;SHARED;OBJECT"
                        "SPEC;WEIGHTS;NAME;WEIGHTS_DIRECTORY" "TARGETS;SET;OPTIONS;DEPENDS")
  _reformerc_check_call(${target})

  # ---- the command ----
  _reformerc_path("${arg_SPEC}" spec)
  _reformerc_input("${spec}" SPEC inputs)
  set(options "")
  set(packs FALSE) # a folder brings its weights
  if(IS_DIRECTORY "${spec}")
    set(packs TRUE)
  endif()
  if(arg_WEIGHTS)
    _reformerc_path("${arg_WEIGHTS}" weights)
    _reformerc_input("${weights}" WEIGHTS files)
    list(APPEND inputs ${files})
    list(APPEND options --weights "${weights}")
    set(packs TRUE)
  endif()
  if(arg_EMBED_WEIGHTS AND NOT packs)
    message(FATAL_ERROR "reformerc_add_model(${target}): EMBED_WEIGHTS needs WEIGHTS")
  endif()
  if(NOT arg_TARGETS)
    _reformerc_default_targets(arg_TARGETS)
  endif()
  if(arg_TARGETS)
    list(JOIN arg_TARGETS "," targets)
    list(APPEND options --target ${targets})
  endif()
  string(MAKE_C_IDENTIFIER "${target}" name)
  if(arg_NAME)
    set(name ${arg_NAME})
    list(APPEND options --set compile.name=${name})
  endif()
  foreach(setting IN LISTS arg_SET)
    list(APPEND options --set "${setting}")
  endforeach()
  if(arg_EMBED_WEIGHTS)
    list(APPEND options --embed-weights)
  endif()
  if(arg_STANDALONE)
    list(APPEND options --standalone)
  endif()
  list(APPEND options ${arg_OPTIONS})

  # ---- what it writes ----
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/reformerc/${target}")
  file(MAKE_DIRECTORY "${folder}")
  set(code "${folder}/${name}.c" "${folder}/${name}.h")
  set(weights_file "")
  set(move "")
  if(packs)
    set(weights_file "${folder}/${name}.weights")
    if(NOT arg_WEIGHTS_DIRECTORY)
      set(arg_WEIGHTS_DIRECTORY "${REFORMERC_WEIGHTS_DIRECTORY}")
    endif()
    if(arg_WEIGHTS_DIRECTORY AND NOT arg_EMBED_WEIGHTS)
      get_filename_component(place "${arg_WEIGHTS_DIRECTORY}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
      set(moved "${place}/${name}.weights")
      # not rename: the place may be on another file system
      set(move COMMAND ${CMAKE_COMMAND} -E make_directory "${place}"
               COMMAND ${CMAKE_COMMAND} -E copy "${weights_file}" "${moved}"
               COMMAND ${CMAKE_COMMAND} -E rm "${weights_file}")
      set(weights_file "${moved}")
    endif()
  endif()
  get_target_property(compiler_made_by reformerc::reformerc REFORMERC_MADE_BY) # a host's, built from here
  if(NOT compiler_made_by)
    set(compiler_made_by "")
  endif()
  add_custom_command(OUTPUT ${code} ${weights_file}
    COMMAND $<TARGET_FILE:reformerc::reformerc> "${spec}" ${options} -o "${folder}/${name}.c" --depfile "${folder}/${name}.d"
            ${move}
    DEPENDS ${inputs} ${arg_DEPENDS} $<TARGET_FILE:reformerc::reformerc> ${compiler_made_by}
    DEPFILE "${folder}/${name}.d" # what options name, and a folder holds
    COMMENT "Compiling ${arg_SPEC} to ${name}.c" VERBATIM)

  # ---- the library ----
  set(kind STATIC)
  foreach(other IN ITEMS SHARED OBJECT)
    if(arg_${other})
      set(kind ${other})
    endif()
  endforeach()
  add_library(${target} ${kind} ${code} ${weights_file})
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${folder}>")
  target_compile_features(${target} PRIVATE c_std_11)
  # A project may ask for -Ofast, which the code refuses. It is fast, and of bearable size, only when it is optimised.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:-fno-fast-math>
                         $<$<AND:$<COMPILE_LANGUAGE:C>,$<OR:$<CONFIG:Debug>,$<CONFIG:>>>:-O2>)
  if(arg_EMBED_WEIGHTS) # the assembler reads the file; a linker that optimises does, from a folder of its own
    set_source_files_properties("${folder}/${name}.c" PROPERTIES OBJECT_DEPENDS "${weights_file}")
    string(TOUPPER "${name}" upper)
    target_compile_definitions(${target} PRIVATE "${upper}_WEIGHTS_FILE=\"${weights_file}\"")
  endif()
  if(NOT arg_STANDALONE)
    target_link_libraries(${target} PUBLIC reformerc::reformer_rt)
  endif()
  set_target_properties(${target} PROPERTIES REFORMERC_WEIGHTS_FILE "${weights_file}"
                        REFORMERC_SOURCES "${code}" UNITY_BUILD OFF)
endfunction()

cmake_policy(POP)
