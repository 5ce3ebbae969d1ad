/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/matrix.h"

DEFINE_ENUM_TABLE(exempt, "exemption",
                  EXEMPT_MAX, [EXEMPT_NOT] = { "for it", "the obligation is for this backend" },
                  [EXEMPT_PLAYED] = { "played", "only a null machine can be told to do this" },
                  [EXEMPT_GUESTLESS] = { "guestless", "a null machine has no guest, and no VMM to go wrong" },
                  [EXEMPT_DAEMONLESS] = { "daemonless",
                                          "no daemon stands between its runner and its machine" },
                  [EXEMPT_UNREAPED] = {
                      "unreaped", "the machine is libvirtd's child, and a parent alone learns the signal" });

const BackendKind matrix_columns[BACKEND_KIND_MAX] = { BACKEND_NULL, BACKEND_QEMU, BACKEND_LIBVIRT };

#define OBLIGATION(f, ...)                                                                                   \
    {                                                                                                        \
        .name = #f, .prove = f, __VA_ARGS__                                                                  \
    }
#define PLAYED .exempt = { [BACKEND_QEMU] = EXEMPT_PLAYED, [BACKEND_LIBVIRT] = EXEMPT_PLAYED }
#define GUESTLESS .exempt = { [BACKEND_NULL] = EXEMPT_GUESTLESS }
#define DAEMON .exempt = { [BACKEND_NULL] = EXEMPT_DAEMONLESS, [BACKEND_QEMU] = EXEMPT_DAEMONLESS }
#define UNREAPED .exempt = { [BACKEND_LIBVIRT] = EXEMPT_UNREAPED }
#define SHARES .shares = true
#define LONG .long_one = true
const Obligation obligations[] = {
    OBLIGATION(a_machine_starts_and_stops_as_asked),
    OBLIGATION(a_kill_is_reported_as_a_kill),
    OBLIGATION(a_machine_pauses_and_goes_on, SHARES),
    OBLIGATION(a_paused_machine_can_be_stopped),
    OBLIGATION(a_stop_before_the_start_is_done_ends_it),
    OBLIGATION(a_stop_that_is_ignored_ends_by_force, PLAYED),
    OBLIGATION(a_start_that_fails_says_why, PLAYED),
    OBLIGATION(a_start_that_takes_too_long_ends_by_its_deadline, PLAYED),
    OBLIGATION(an_end_by_itself_tells_the_status, PLAYED),
    OBLIGATION(a_machine_that_dies_is_told_to_have_been_killed),
    OBLIGATION(a_machine_that_dies_tells_its_signal, UNREAPED),
    OBLIGATION(a_machine_is_adopted, SHARES),
    OBLIGATION(a_paused_machine_is_adopted_paused, SHARES),
    OBLIGATION(a_stop_is_carried_on_by_the_next_runner, PLAYED),
    OBLIGATION(an_end_is_told_again_until_bye),
    OBLIGATION(an_end_that_nobody_saw_is_a_crash),
    OBLIGATION(an_end_in_good_order_waits_for_a_runner, PLAYED),
    OBLIGATION(a_runner_that_is_told_to_go_leaves_the_machine, SHARES),
    OBLIGATION(a_second_runner_is_refused, SHARES),
    OBLIGATION(a_new_attempt_is_a_new_machine),
    OBLIGATION(a_start_can_be_cut_off_anywhere, LONG),
    OBLIGATION(an_adoption_can_be_cut_off_anywhere, SHARES),
    OBLIGATION(a_stop_can_be_cut_off_anywhere, LONG),
    OBLIGATION(a_truncated_checkpoint_is_a_doubt, SHARES),
    OBLIGATION(a_damaged_checkpoint_is_a_doubt, SHARES),
    OBLIGATION(an_empty_checkpoint_is_a_doubt, SHARES),
    OBLIGATION(a_checkpoint_of_the_future_is_a_doubt, SHARES),
    OBLIGATION(a_lost_checkpoint_is_a_doubt, SHARES),
    OBLIGATION(a_damaged_checkpoint_of_the_runner_is_a_doubt, SHARES),
    OBLIGATION(a_checkpoint_of_a_future_runner_is_a_doubt, SHARES),
    OBLIGATION(the_runners_own_checkpoint_can_be_lost, SHARES),
    OBLIGATION(an_operator_can_have_it_adopted, SHARES),
    OBLIGATION(an_operator_can_have_it_forgotten),
    OBLIGATION(a_machine_of_another_attempt_is_foreign),
    OBLIGATION(a_checkpoint_from_before_a_reboot_is_a_crash),
    OBLIGATION(a_process_of_the_same_number_is_not_touched, PLAYED),
    OBLIGATION(a_runner_outlives_podvisord, SHARES),
    OBLIGATION(an_end_without_podvisord_is_told_when_it_is_back),
    OBLIGATION(what_podvisord_does_not_mean_ends_the_connection_only, SHARES),
    OBLIGATION(a_bye_before_the_end_is_refused, SHARES),
    OBLIGATION(a_checkpoint_that_cannot_be_written_is_written_later, SHARES),
    OBLIGATION(a_guest_that_hangs_ends_by_its_deadline_with_its_last_lines, GUESTLESS),
    OBLIGATION(a_guest_that_powers_off_by_itself_is_told_so, GUESTLESS),
    OBLIGATION(a_kernel_that_panics_is_told_with_its_words, GUESTLESS),
    OBLIGATION(a_missing_vmm_says_what_to_install, GUESTLESS),
    OBLIGATION(a_vmm_that_is_none_ends_the_start, GUESTLESS),
    OBLIGATION(a_missing_image_is_told_with_its_container, GUESTLESS),
    OBLIGATION(a_vmm_that_hangs_can_be_killed, GUESTLESS),
    OBLIGATION(a_program_runs_in_a_container_with_its_streams_and_its_status, GUESTLESS, SHARES),
    OBLIGATION(a_program_that_is_not_there_is_named, GUESTLESS, SHARES),
    OBLIGATION(what_is_copied_in_comes_out_as_it_was, GUESTLESS, SHARES),
    OBLIGATION(a_disk_keeps_its_data_from_one_machine_to_the_next, GUESTLESS, LONG),
    OBLIGATION(a_disk_that_is_not_there_ends_the_start_with_its_name, GUESTLESS),
    OBLIGATION(a_daemon_that_dies_while_a_machine_starts_is_waited_for, DAEMON),
    OBLIGATION(a_daemon_that_dies_leaves_the_machine, DAEMON, SHARES),
    OBLIGATION(a_machine_is_adopted_without_its_daemon, DAEMON, SHARES),
    OBLIGATION(a_machine_that_its_daemon_has_forgotten_goes_on, DAEMON),
    OBLIGATION(a_daemon_that_dies_while_a_machine_stops_changes_nothing, DAEMON),
    OBLIGATION(a_start_without_a_daemon_says_so, DAEMON),
    OBLIGATION(a_start_with_a_daemon_that_hangs_ends_by_its_deadline, DAEMON, LONG),
    OBLIGATION(a_stop_with_a_daemon_that_hangs_ends_the_machine, DAEMON, LONG),
    OBLIGATION(a_kill_with_a_daemon_that_hangs_ends_the_machine, DAEMON),
    OBLIGATION(a_stranger_of_the_same_name_is_not_touched, DAEMON),
    OBLIGATION(a_stranger_of_the_same_uuid_is_not_touched, DAEMON),
    OBLIGATION(a_machine_of_other_metadata_is_a_doubt, DAEMON, SHARES),
    OBLIGATION(a_destroy_through_the_daemon_is_told_as_one, DAEMON),
    OBLIGATION(a_power_button_through_the_daemon_stops_in_order, DAEMON),
    OBLIGATION(a_suspend_and_resume_through_the_daemon_are_seen, DAEMON, SHARES),
    OBLIGATION(a_reset_through_the_daemon_is_named, DAEMON),
    OBLIGATION(no_file_changes_its_owner, DAEMON, SHARES),
};
const size_t n_obligations = ELEMENTSOF(obligations);
