# Seconds that the slow tests take on one core with nothing cached: ctest starts the longest first, so that none is left
# for the end alone. It learns that by itself in a build folder's first run; this is for that run. The first pattern that
# a test's name matches counts.
set(test_costs
    cli_product 50   cli_flags 45   golden_.*_identical 33   lower_limits 28   cli_machine_code 30   cli_specs 30
    cli_generate 25   emit_programs 25   library_decode 20   differential_c_ 20   differential_decode_c 20
    lower_token_losses 20   cli_linear 20   cli_trust 20   cli_sweep 20   emit_ops 20   cli_score 18
    differential_hostile 18   differential_jit 18   differential_ 15   lower_tiles 15   library_install 15   cli_graph 25
    cli_bench 15   cli_tune 15   cli_explain 15   emit_file 15   golden_generate 14   cli_sentencepiece 12
    cli_long_context 12   library_golden 12   library_memory 12   emit_cache 11   cli_outputs 11   library_cycles 11
    lower_decode 10   cli_special 10   cli_hostile 10   project_subproject 9   golden_checkpoint_window_c 8
    golden_decode_.*_interpreter 7   lower_kernels 7   library_ 6   cli_translate 6   cli_verdict 6   cli_verify 6   golden_.*_one 4   golden_.*_jit 3)

# Of the tests of the folder that calls it. Workers sleep while they wait for each other: by default OpenMP's spin, and
# beside another test on the same cores that is most of what they do. Not where they are what is tested.
function(schedule_tests)
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test IN LISTS tests)
    if(NOT test MATCHES "^(runtime_|cli_pool|library_threads|library_fork)")
      set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT OMP_WAIT_POLICY=passive)
    endif()
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
