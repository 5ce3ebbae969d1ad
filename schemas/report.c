/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/pod-definition.h"
#include "schemas/report.h"

DEFINE_ENUM_TABLE(
    runner_state, "runner state",
    RUNNER_STATE_MAX, [RUNNER_ADOPTING] = { "adopting", "the runner looks at what an earlier one left" },
    [RUNNER_STARTING] = { "starting", "the machine is being started, or its agent has not spoken yet" },
    [RUNNER_RUNNING] = { "running", "the agent has started the containers" },
    [RUNNER_PAUSED] = { "paused", "the machine's processors are stopped" },
    [RUNNER_STOPPING] = { "stopping", "the machine was asked to stop" },
    [RUNNER_ENDED] = { "ended", "the machine is gone" },
    [RUNNER_INDETERMINATE] = { "indeterminate",
                               "it cannot be told whether a machine runs; nothing is done" });

DEFINE_ENUM_TABLE(
    end_reason, "reason", END_REASON_MAX, [END_NONE] = { "none", "it has not ended" },
    [END_COMPLETED] = { "completed", "all containers ended, and none is to be started again" },
    [END_STOPPED] = { "stopped", "it stopped as asked" },
    [END_KILLED] = { "killed", "podvisor killed it: as asked, or because it did not stop in time" },
    [END_GUEST_SHUTDOWN] = { "guest-shutdown", "the guest powered off by itself" },
    [END_POWER_BUTTON] = { "power-button", "somebody pressed the machine's power button, and the guest "
                                           "powered off in order" },
    [END_GUEST_RESET] = { "guest-reset", "the guest reset without a word of its kernel" },
    [END_GUEST_PANIC] = { "guest-panic", "the guest's kernel panicked" },
    [END_VMM_EXIT] = { "vmm-exit", "the virtual machine's process ended by itself" },
    [END_VMM_SIGNAL] = { "vmm-signal",
                         "the virtual machine's process was killed by a signal that podvisor did not send" },
    [END_VMM_OOM] = { "vmm-oom",
                      "the host's kernel killed the virtual machine's process for want of memory" },
    [END_VMM_UNRESPONSIVE] = { "vmm-unresponsive", "the virtual machine's process stopped answering" },
    [END_START_FAILED] = { "start-failed", "the virtual machine's process could not be started" },
    [END_BOOT_TIMEOUT] = { "boot-timeout", "the guest's agent did not speak in time" },
    [END_NOT_WOKEN] = { "not-woken", "the machine, a copy of a template, did not wake" },
    [END_AGENT_LOST] = { "agent-lost", "the guest's agent stopped answering" },
    [END_AGENT_REFUSED] = { "agent-refused",
                            "the guest's agent refused its runner, or what the definition asks" },
    [END_OPERATOR] = { "operator", "somebody ended it through libvirt, not through podvisor" },
    [END_SHARE_LOST] = { "share-lost", "what gave it a directory of the host ended" },
    [END_LOST] = { "lost", "it ended while no runner watched, so nobody knows how" });

DEFINE_ENUM_TABLE(verdict, "recovery verdict",
                  VERDICT_MAX, [VERDICT_NONE] = { "none", "no machine had been started before" },
                  [VERDICT_ADOPTED] = { "adopted", "the machine runs, and proved to be this pod's" },
                  [VERDICT_DEAD_CLEAN] = { "dead-clean", "the machine had ended, and its end was recorded" },
                  [VERDICT_DEAD_CRASHED] = { "dead-crashed", "the machine had ended while nobody watched" },
                  [VERDICT_FOREIGN] = { "foreign", "what runs in the pod's place is not this pod's" },
                  [VERDICT_INDETERMINATE] = {
                      "indeterminate",
                      "it cannot be told what runs; nothing is started and nothing is killed" });

DEFINE_ENUM_TABLE(container_state, "container state",
                  CONTAINER_STATE_MAX, [CONTAINER_WAITING] = { "waiting", "not started yet" },
                  [CONTAINER_RUNNING] = { "running", "its program runs" },
                  [CONTAINER_BACKOFF] = { "backoff", "its program ended and is started again after a wait" },
                  [CONTAINER_ENDED] = { "ended", "its program ended and is not started again" },
                  [CONTAINER_FAILED] = { "failed",
                                         "its program could not be started, or was ended because of its "
                                         "probe, and is not started again" });

static const Field container_report_fields[] = {
    { F_STRING(ContainerReport, name), .flags = FIELD_KEY, .doc = "The container's name." },
    { F_ENUM(ContainerReport, state, container_state_table), .doc = "What it is doing." },
    { F_UNSIGNED(ContainerReport, restarts), .doc = "How often it was started again." },
    { F_SIGNED(ContainerReport, exit_code), .fallback = "-1",
      .doc = "The exit status of its last run; -1 for none." },
    { F_UNSIGNED(ContainerReport, exit_signal), .doc = "The signal that ended its last run; 0 for none." },
    { F_BOOL(ContainerReport, oom_killed), .doc = "Whether its last run ended for want of memory." },
    { F_DURATION(ContainerReport, started), .doc = "When its last run began." },
    { F_DURATION(ContainerReport, ended), .doc = "When its last run ended." },
    { F_STRING(ContainerReport, message), .doc = "Why it could not start, or what its end means." },
    { F_ENUM(ContainerReport, role, container_role_table), .doc = "What it is in its pod." },
    { F_BOOL(ContainerReport, unready), .doc = "Whether its probes keep it from being ready." },
    { F_STRING(ContainerReport, probe_failure), .doc = "The last failure of one of its probes." },
    { F_DURATION(ContainerReport, probe_failed), .doc = "When that was; 0 for never." },
    { F_STRING(ContainerReport, limits_failed), .doc = "Why its limits are not those that are declared." },
};
DEFINE_SCHEMA(container_report_schema, ContainerReport, "container report",
              "What is observed of a container.", container_report_fields);

bool container_does_what_it_should(const ContainerReport *c)
{
    if (c->state == CONTAINER_RUNNING)
        return c->role != CONTAINER_INIT && !c->unready;
    return c->state == CONTAINER_ENDED && c->exit_code == 0;
}

bool container_ended_well(const ContainerReport *c)
{
    return c->role == CONTAINER_SIDECAR || (c->state == CONTAINER_ENDED && c->exit_code == 0);
}

DEFINE_ENUM_TABLE(helper_kind, "helper",
                  HELPER_KIND_MAX, [HELPER_UPLINK] = { "uplink", "podvisor-uplink, which is its network" },
                  [HELPER_SHARE] = { "share", "virtiofsd, which gives it a directory of the host" });

static const Field helper_report_fields[] = {
    { F_ENUM(HelperReport, kind, helper_kind_table), .doc = "What it does for the machine." },
    { F_UNSIGNED(HelperReport, pid), .max = INT32_MAX, .doc = "Its process." },
    { F_UNSIGNED(HelperReport, start_time), .doc = "When that began, in clock ticks of the host's boot." },
};
DEFINE_SCHEMA(helper_report_schema, HelperReport, "helper", "A process that serves a machine.",
              helper_report_fields);

static const Field lease_fields[] = {
    { F_STRING(LeaseReport, address), .doc = "The address, with the bits of its subnet." },
    { F_STRING(LeaseReport, server), .doc = "The DHCP server that gave it." },
    { F_DURATION(LeaseReport, expires), .doc = "Until when it holds; 0 for ever." },
    { F_STRING(LeaseReport, trouble), .doc = "Why there is none, or why it is not made longer." },
};
DEFINE_SCHEMA(lease_report_schema, LeaseReport, "lease", "The address that the machine leases.",
              lease_fields);

static const Field runner_report_fields[] = {
    { F_ENUM(RunnerReport, state, runner_state_table), .doc = "How far the runner has come." },
    { F_ENUM(RunnerReport, verdict, verdict_table), .doc = "What was found when the runner started." },
    { F_STRING(RunnerReport, phase), .doc = "What a start is waiting for." },
    { F_ENUM(RunnerReport, reason, end_reason_table), .doc = "Why the machine ended." },
    { F_SIGNED(RunnerReport, exit_code), .fallback = "-1",
      .doc = "The exit code of the machine's process; -1 for none." },
    { F_UNSIGNED(RunnerReport, exit_signal),
      .doc = "The signal that ended the machine's process; 0 for none." },
    { F_STRING(RunnerReport, message), .doc = "The cause in words." },
    { F_STRV(RunnerReport, console_tail), .doc = "The last lines of the guest's console." },
    { F_UNSIGNED(RunnerReport, vmm_pid), .doc = "The machine's process; 0 for none." },
    { F_DURATION(RunnerReport, vmm_started), .doc = "When the machine's process was started." },
    { F_DURATION(RunnerReport, ready_since), .doc = "Since when the pod is ready; 0 when it is not." },
    { F_BOOL(RunnerReport, by_host),
      .doc = "Whether the host's service manager, and not podvisord, asked for its end." },
    { F_BOOL(RunnerReport, restart_asked), .doc = "Whether somebody on the host asked for another machine." },
    { F_BOOL(RunnerReport, ready), .doc = "Whether every container does what it should." },
    { F_STRING(RunnerReport, accelerator), .doc = "What runs the guest's processors." },
    { F_BOOL(RunnerReport, isolated), .doc = "Whether hardware isolates the guest." },
    { F_STRING(RunnerReport, started_by),
      .doc = "How the machine came to run, where a template was wanted." },
    { F_STRING(RunnerReport, network_lost), .doc = "Why its network is gone for now." },
    { F_GROUP(RunnerReport, lease, lease_report_schema), .doc = "The address that the machine leases." },
    { F_STRING(RunnerReport, kernel), .doc = "The release of the guest's kernel." },
    { F_UNSIGNED(RunnerReport, limits_generation),
      .doc = "The generation of the definition whose limits the agent knows." },
    { F_STRING(RunnerReport, limits_failed), .doc = "Why it cannot be told the limits of a later one." },
    { F_STRING(RunnerReport, hosts_failed), .doc = "Why it cannot be told the names of other pods." },
    { F_ID128(RunnerReport, guest_boot), .doc = "The identity of the guest's boot." },
    { F_GROUP(RunnerReport, start, start_times_schema), .doc = "When each step of the start was done." },
    { F_LIST(RunnerReport, helpers, helper_report_schema), .max = HELPERS_MAX,
      .doc = "The processes that serve the machine beside its VMM." },
    { F_LIST(RunnerReport, containers, container_report_schema), .max = CONTAINERS_MAX,
      .doc = "The containers." },
};
DEFINE_SCHEMA(runner_report_schema, RunnerReport, "report", "What is observed of a pod.",
              runner_report_fields);

bool runner_report_copied(const RunnerReport *report)
{
    const char *by = report->started_by ?: "";

    return str_after(by, STARTED_BY_TEMPLATE) || str_after(by, STARTED_BY_SPARE);
}

bool runner_report_succeeded(const RunnerReport *report)
{
    if (report->reason != END_COMPLETED)
        return false;
    for (size_t i = 0; i < report->n_containers; i++)
        if (!container_ended_well(&report->containers[i]))
            return false;
    return true;
}
