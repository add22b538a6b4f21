//! Tests on a live kernel: real programs that make a known number of calls, and exact figures.
//!
//! `live --scope PATH [FILTER]` runs them; the binary is also the load that is traced (`live load ...`), so that it is
//! all that another kernel needs beside `scope`.

mod cli;
mod counting;
mod load;
mod load_tools_a;
mod load_tools_b;
mod output;
mod probes;
mod providers;
mod readme;
mod run;
mod scripts;
mod tools_io;
mod tools_net;
mod tools_sched;
mod tools_sys;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// A test: its name and what it does.
type Test = (&'static str, fn() -> Result<(), Failed>);

/// Makes the table entry of each test function.
macro_rules! tests {
    ($($module:ident { $($test:ident)* })*) => {
        &[$($((concat!(stringify!($module), "::", stringify!($test)), $module::$test as fn() -> Result<(), Failed>)),*),*]
    };
}

const TESTS: &[Test] = tests! {
    counting {
        a_child_is_counted_exactly
        bare_names_and_angle_blocks_mean_the_same
        a_set_of_system_calls_counts_as_its_members_do
        a_set_ignores_calls_by_the_32_bit_entry
        print_and_clear_lose_nothing
        clauses_share_a_map
        a_full_map_is_reported
        an_lru_map_makes_room
        many_new_keys_at_once_all_find_room
        only_the_watched_process_is_seen
        only_a_name_or_a_user_is_seen
        children_are_followed_from_their_beginning
        only_a_cgroup_or_a_namespace_is_seen
    }
    values {
        aggregations_are_exact
        increments_are_exact
        comparisons_and_arithmetic
        strings_are_read_from_user_memory
        strings_that_cannot_be_read_say_so
        long_strings_are_cut_and_counted
        texts_of_tracepoints
        arguments_of_a_set
        userspace_clauses_read_the_maps
        userspace_clauses_read_the_kernels_memory
        fast_intervals_lose_no_tick
        variables_of_a_cpu
        allocation_flags_have_the_kernels_names
        a_signal_to_a_thread
        a_process_is_written_to
        deep_expressions_and_many_variables
    }
    probes {
        a_profile_samples_by_time
        a_profile_has_registers_and_stacks_of_what_has_exited
        page_faults_are_counted
        hardware_counts_or_is_refused_in_words
        raw_tracepoints_have_arguments_by_name
        tracepoints_of_one_clause_share_a_program
        probes_can_be_given_a_name
        what_has_exited_keeps_its_names
        names_mean_what_the_process_sees
        patterns_choose_files_too
        a_program_that_was_replaced_is_told
        uprobes_of_one_process_count_it_alone
        a_function_is_the_same_at_all_its_probes
        a_signal_runs_a_clause
        functions_of_a_library_are_counted
        functions_have_arguments_and_results
        a_pattern_counts_as_its_functions_do
        what_can_not_be_probed_is_refused
        what_would_end_the_process_is_refused
        two_threads_in_one_function_lose_nothing
        static_probes_have_arguments
        functions_of_the_kernel_are_counted_or_refused_in_words
        a_pattern_of_the_kernel_counts_as_its_functions_do
        traced_functions_have_arguments_and_results_by_name
        functions_of_a_module_have_arguments_by_name
    }
    providers {
        each_counts_or_is_refused_in_words
        a_watchpoint_counts_writes
        an_iterator_goes_through_what_there_is
    }
    output {
        every_record_is_printed_or_reported_lost
        json_is_what_a_dashboard_expects
        records_of_json_say_what_made_them
        text_and_histograms
        names_that_steer_a_terminal_are_escaped
        functions_format_values
        addresses_groups_and_times_have_names
        a_time_series_adds_up
        output_to_a_file
        folded_stacks_make_a_flame_graph
    }
    scripts {
        opensnoop_sees_opens_and_errors
        syscount_counts
        latency_pairs_enter_and_exit
        hello_and_syscall_have_the_fields_of_the_seeds
        help_is_the_head_comment
        one_liners_of_bpftrace_run_unchanged
    }
    tools_io {
        biosnoop_shows_each_request
        biolatency_measures_each_request
        biostacks_and_bitesize_know_who_asked
        execsnoop_shows_arguments_and_failures
        opensnoop_chooses
        bashreadline_shows_what_is_typed
        the_first_tools_say_what_they_are
    }
    tools_sched {
        runqlat_measures_who_has_to_wait
        runqlen_and_cpuwalk_sample_the_cpus
        pidpersec_counts_processes_and_threads
        loads_shows_the_averages
        naptime_compares_with_what_was_asked
        killsnoop_shows_signals_and_errors
        setuids_shows_each_call
        gethostlatency_shows_names_and_failures
    }
    tools_net {
        tcplife_knows_both_ends
        tcpconnect_shows_attempts
        tcpaccept_shows_the_queue
        tcpretrans_sees_what_is_sent_again
        tcpdrop_has_reasons
        undump_shows_what_is_taken
        tcpsynbl_counts_by_queue
    }
    tools_sys {
        statsnoop_sees_every_call
        syscount_has_options
        syncsnoop_names_the_file
        threadsnoop_names_the_function
        writeback_counts_pages
        capable_says_what_is_denied
        oomkill_names_the_victim
        sslsnoop_sees_a_connection
        ssllatency_tells_success_from_failure
        vfs_scripts_count
        dcsnoop_shows_what_is_not_cached
        others_are_accepted_or_say_what_is_missing
    }
    readme {
        every_command_runs
    }
    cli {
        the_commands_status_is_passed_on
        a_trace_ends_with_its_process
        an_interrupt_ends_cleanly
        a_closed_pipe_ends_silently
        mistakes_have_status_2
        output_that_goes_nowhere_is_an_error
        a_script_may_begin_with_a_byte_order_mark
        without_root_the_capability_is_named
        a_script_file_takes_arguments
        what_is_too_large_names_the_limit
        a_dry_run_attaches_nothing
        probes_are_listed
        probes_are_listed_with_what_they_are_given
        probes_of_a_script_are_listed
        debug_shows_the_plan
        the_way_of_attaching_is_explained
        the_environment_holds_settings
        a_code_is_explained
        scripts_are_formatted_in_place
        the_system_is_checked
    }
};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).collect::<Vec<_>>();
    if arguments.first().is_some_and(|first| first == "load") {
        load::run(&arguments[1..]);
        return ExitCode::SUCCESS;
    }
    let mut scope = PathBuf::from("scope");
    if let Some(at) = arguments.iter().position(|argument| argument == "--scope") {
        scope = PathBuf::from(arguments.remove(at + 1));
        arguments.remove(at);
    }
    run::SCOPE.set(scope).expect("set once");
    let mut options = Arguments::from_iter(std::iter::once("live".into()).chain(arguments));
    // One after the other: two CPUs have enough to do with a load and its tracer.
    options.test_threads = Some(1);
    let trials = TESTS.iter().map(|(name, test)| Trial::test(*name, test)).collect();
    libtest_mimic::run(&options, trials).exit_code()
}
