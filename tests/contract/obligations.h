/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Every obligation, one function each; the table in matrix.c says which backends it is for. And what they are made of. */
#include "tests/contract/harness.h"

bool is_ready(const RunnerReport *report);
/* A new attempt, until the pod is ready. */
void start_ready(Harness *h);
/* Until it has ended as asked, and the runner has gone. A machine that is shared is left to the next one instead. */
void stop_gently(Harness *h);
/* Kills the runner; the machine must not notice. Returns the machine's pid. */
uint64_t orphan_machine(Harness *h);
/* Kills the machine. */
void end_machine(Harness *h);

void a_machine_starts_and_stops_as_asked(Harness *h);
void a_kill_is_reported_as_a_kill(Harness *h);
void a_machine_pauses_and_goes_on(Harness *h);
void a_paused_machine_can_be_stopped(Harness *h);
void a_stop_before_the_start_is_done_ends_it(Harness *h);
void a_stop_that_is_ignored_ends_by_force(Harness *h);
void a_start_that_fails_says_why(Harness *h);
void a_start_that_takes_too_long_ends_by_its_deadline(Harness *h);
void an_end_by_itself_tells_the_status(Harness *h);
void a_machine_that_dies_is_told_to_have_been_killed(Harness *h);
void a_machine_that_dies_tells_its_signal(Harness *h);
void a_machine_is_adopted(Harness *h);
void a_paused_machine_is_adopted_paused(Harness *h);
void a_stop_is_carried_on_by_the_next_runner(Harness *h);
void an_end_is_told_again_until_bye(Harness *h);
void an_end_that_nobody_saw_is_a_crash(Harness *h);
void an_end_in_good_order_waits_for_a_runner(Harness *h);
void a_runner_that_is_told_to_go_leaves_the_machine(Harness *h);
void a_second_runner_is_refused(Harness *h);
void a_new_attempt_is_a_new_machine(Harness *h);
void a_start_can_be_cut_off_anywhere(Harness *h);
void an_adoption_can_be_cut_off_anywhere(Harness *h);
void a_stop_can_be_cut_off_anywhere(Harness *h);
void a_truncated_checkpoint_is_a_doubt(Harness *h);
void a_damaged_checkpoint_is_a_doubt(Harness *h);
void an_empty_checkpoint_is_a_doubt(Harness *h);
void a_checkpoint_of_the_future_is_a_doubt(Harness *h);
void a_lost_checkpoint_is_a_doubt(Harness *h);
void a_damaged_checkpoint_of_the_runner_is_a_doubt(Harness *h);
void a_checkpoint_of_a_future_runner_is_a_doubt(Harness *h);
void the_runners_own_checkpoint_can_be_lost(Harness *h);
void an_operator_can_have_it_adopted(Harness *h);
void an_operator_can_have_it_forgotten(Harness *h);
void a_machine_of_another_attempt_is_foreign(Harness *h);
void a_checkpoint_from_before_a_reboot_is_a_crash(Harness *h);
void a_process_of_the_same_number_is_not_touched(Harness *h);
void a_runner_outlives_podvisord(Harness *h);
void an_end_without_podvisord_is_told_when_it_is_back(Harness *h);
void what_podvisord_does_not_mean_ends_the_connection_only(Harness *h);
void a_bye_before_the_end_is_refused(Harness *h);
void a_checkpoint_that_cannot_be_written_is_written_later(Harness *h);

void a_guest_that_hangs_ends_by_its_deadline_with_its_last_lines(Harness *h);
void a_guest_that_powers_off_by_itself_is_told_so(Harness *h);
void a_kernel_that_panics_is_told_with_its_words(Harness *h);
void a_missing_vmm_says_what_to_install(Harness *h);
void a_vmm_that_is_none_ends_the_start(Harness *h);
void a_missing_image_is_told_with_its_container(Harness *h);
void a_vmm_that_hangs_can_be_killed(Harness *h);

void a_program_runs_in_a_container_with_its_streams_and_its_status(Harness *h);
void a_program_that_is_not_there_is_named(Harness *h);
void what_is_copied_in_comes_out_as_it_was(Harness *h);
void a_disk_keeps_its_data_from_one_machine_to_the_next(Harness *h);
void a_disk_that_is_not_there_ends_the_start_with_its_name(Harness *h);

void a_daemon_that_dies_while_a_machine_starts_is_waited_for(Harness *h);
void a_daemon_that_dies_leaves_the_machine(Harness *h);
void a_machine_is_adopted_without_its_daemon(Harness *h);
void a_machine_that_its_daemon_has_forgotten_goes_on(Harness *h);
void a_daemon_that_dies_while_a_machine_stops_changes_nothing(Harness *h);
void a_start_without_a_daemon_says_so(Harness *h);
void a_start_with_a_daemon_that_hangs_ends_by_its_deadline(Harness *h);
void a_stop_with_a_daemon_that_hangs_ends_the_machine(Harness *h);
void a_kill_with_a_daemon_that_hangs_ends_the_machine(Harness *h);
void a_stranger_of_the_same_name_is_not_touched(Harness *h);
void a_stranger_of_the_same_uuid_is_not_touched(Harness *h);
void a_machine_of_other_metadata_is_a_doubt(Harness *h);
void a_destroy_through_the_daemon_is_told_as_one(Harness *h);
void a_power_button_through_the_daemon_stops_in_order(Harness *h);
void a_suspend_and_resume_through_the_daemon_are_seen(Harness *h);
void a_reset_through_the_daemon_is_named(Harness *h);
void no_file_changes_its_owner(Harness *h);
