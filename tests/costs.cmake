# Seconds that the slow tests take on one core with nothing cached: ctest starts the longest first, so that none is left
# for the end alone. It learns that by itself in a build folder's first run; this is for that run. The first pattern that
# a test's name matches counts.
set(test_costs
    lower_train_steps_kept 50
    lower_train_steps 12
    cli_verify_train 8
    cli_standalone 12
    cli_compilers 6
    cli_dtype 8
    cli_visibility 5
    cli_train_ranks 5
    cli_verify 11
    cli_pages 14
    cli_product 18
    cli_generate 10
    golden_.*_turns 10
    cli_flags 10
    cli_graph 3
    cli_specs 6
    cli_machine_code 6
    library_decode 8
    cli_gradients_product 4
    cli_learn_product 6
    cli_long_schedule 9
    lower_edited_steps 2
    lower_limits 7
    cli_sweep 5
    cli_bench_long 28
    cli_bench_decode 2
    cli_bench 3
    cli_linear 5
    cli_score 6
    cli_trust 6
    cli_tune 4
    emit_programs 5
    emit_addresses 4
    emit_ops 7
    golden_.*_gradients_one 7
    lower_tiles 6
    cli_explain 7
    library_memory 6
    library_install 3
    emit_dot 8
    emit_file 15
    library_golden 3
    golden_generate 14
    cli_special 2
    cli_long_context 12
    cli_outputs 3
    library_cycles 3
    cli_sentencepiece 11
    exec_cache 2
    differential_ 3
    lower_token_losses 10
    wasm_numbers 5
    wasm_page 6
    lower_decode 4
    lower_kernels 8
    lower_update 8
    cli_gradients 9
    cli_hostile 9
    project_subproject 9
    python_wheel 60
    package_deb 20
    package_built 120
    package_checked 14
    package_ 12
    golden_checkpoint_window_c 8
    golden_.*_gradients_executor 2
    golden_decode_checkpoint_interpreter 7
    golden_t_sgd.*_trajectory 11
    cli_train 7
    cli_translate 6
    compare_verdict 6
    library_ 6
    golden_.*_one 4
    golden_decode_ 3
    golden_.*_jit 3)

# Of the tests of the folder that calls it. Workers sleep while they wait for each other: by default OpenMP's spin, and
# beside another test on the same cores that is most of what they do. Not where they are what is tested.
function(schedule_tests)
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test IN LISTS tests)
    if(NOT test MATCHES "^(runtime_|library_threads|library_fork)")
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
