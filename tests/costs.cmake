# Seconds that the slow tests take on one core with nothing cached: ctest starts the longest first, so that none is left
# for the end alone. It learns that by itself in a build folder's first run; this is for that run. The first pattern that
# a test's name matches counts.
set(test_costs
    cli_product 90   cli_specs 50   golden_generate 60   cli_writer 45   emit_programs 45   library_decode 45
    cli_flags 45   differential_c_ 40   golden_.*_identical 35   differential_.*jit 35   differential_decode_c 30
    cli_machine_code 45   cli_bench 30   cli_generate 30   cli_tune 30   lower_token_losses 25
    differential_hostile_c 25   cli_score 25   cli_sweep 25   emit_ops 20   lower_decode 20
    differential_.*interpreter 15   lower_tiles 15   library_install 15   library_golden 15   cli_long_context 15
    cli_graph 25   cli_sentencepiece 15   cli_explain 15   emit_file 15   cli_outputs 10   library_cycles 10   emit_cache 10
    golden_checkpoint_window_c 10   golden_decode_.*_interpreter 8   golden_.*_crossed 7   project_subproject 8
    library_ 6   cli_translate 6   cli_verify 6   golden_.*_c$ 5)

# Of the tests of the folder that calls it.
function(set_test_costs)
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test IN LISTS tests)
    set(patterns ${test_costs})
    while(patterns)
      list(POP_FRONT patterns pattern cost)
      if(test MATCHES "^${pattern}")
        set_tests_properties(${test} PROPERTIES COST ${cost})
        break()
      endif()
    endwhile()
  endforeach()
endfunction()
