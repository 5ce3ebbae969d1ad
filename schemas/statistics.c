/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/pod-definition.h"
#include "schemas/statistics.h"

const PackLimits statistics_limits = { .size = STATISTICS_SIZE_MAX, .depth = 6, .count = 200000 };

static const Field container_fields[] = {
    { F_STRING(ContainerStatistics, name), .doc = "The container." },
    { F_BOOL(ContainerStatistics, runs), .doc = "Whether it runs." },
    { F_DURATION(ContainerStatistics, running_for), .doc = "For how long it has run." },
    { F_DURATION(ContainerStatistics, cpu_time), .doc = "Processor time of all of its processes." },
    { F_DURATION(ContainerStatistics, cpu_user), .doc = "Of that, in programs." },
    { F_DURATION(ContainerStatistics, cpu_system), .doc = "Of that, in the kernel." },
    { F_DURATION(ContainerStatistics, cpu_throttled), .doc = "How long its limit has held it up." },
    { F_SIZE(ContainerStatistics, memory), .doc = "Memory in use, with cached files." },
    { F_SIZE(ContainerStatistics, memory_peak), .doc = "The most that it ever was." },
    { F_SIZE(ContainerStatistics, memory_limit), .doc = "Its limit." },
    { F_SIZE(ContainerStatistics, swap), .doc = "Swap space in use." },
    { F_UNSIGNED(ContainerStatistics, pids), .doc = "Processes and threads." },
    { F_SIZE(ContainerStatistics, pids_limit), .doc = "Their limit." },
    { F_SIZE(ContainerStatistics, io_read), .doc = "Bytes read from disks." },
    { F_SIZE(ContainerStatistics, io_written), .doc = "Bytes written to disks." },
    { F_UNSIGNED(ContainerStatistics, oom_kills), .doc = "Processes that were killed for want of memory." },
};
DEFINE_SCHEMA(container_statistics_schema, ContainerStatistics, "container statistics",
              "What a container has used.", container_fields);

static const Field interface_fields[] = {
    { F_STRING(InterfaceStatistics, name), .doc = "The interface." },
    { F_SIZE(InterfaceStatistics, received), .doc = "Bytes received." },
    { F_UNSIGNED(InterfaceStatistics, received_packets), .doc = "Packets received." },
    { F_UNSIGNED(InterfaceStatistics, received_errors), .doc = "Packets that came broken." },
    { F_UNSIGNED(InterfaceStatistics, received_dropped), .doc = "Packets that came and were dropped." },
    { F_SIZE(InterfaceStatistics, sent), .doc = "Bytes sent." },
    { F_UNSIGNED(InterfaceStatistics, sent_packets), .doc = "Packets sent." },
    { F_UNSIGNED(InterfaceStatistics, sent_errors), .doc = "Packets that could not be sent." },
    { F_UNSIGNED(InterfaceStatistics, sent_dropped), .doc = "Packets that were dropped instead." },
};
DEFINE_SCHEMA(interface_statistics_schema, InterfaceStatistics, "interface statistics",
              "What went through an interface of the machine.", interface_fields);

static const Field statistics_fields[] = {
    { F_DURATION(Statistics, uptime), .doc = "How long the guest's kernel runs." },
    { F_UNSIGNED(Statistics, processors), .doc = "Processors of the machine." },
    { F_SIZE(Statistics, memory_total), .doc = "Memory of the guest." },
    { F_SIZE(Statistics, memory_available), .doc = "Of that, what programs could still have." },
    { F_SIZE(Statistics, agent_memory), .doc = "Resident memory of the agent." },
    { F_DURATION(Statistics, cpu_time), .doc = "Processor time of all containers." },
    { F_SIZE(Statistics, memory), .doc = "Memory of all containers." },
    { F_UNSIGNED(Statistics, pids), .doc = "Processes and threads of all containers." },
    { F_LIST(Statistics, containers, container_statistics_schema), .max = CONTAINERS_MAX,
      .doc = "The containers." },
    { F_LIST(Statistics, interfaces, interface_statistics_schema), .max = STATISTICS_INTERFACES_MAX,
      .doc = "The network interfaces, but for the loopback." },
};
DEFINE_SCHEMA(statistics_schema, Statistics, "statistics", "What a pod has used.", statistics_fields);

static const Field process_fields[] = {
    { F_UNSIGNED(ProcessReport, pid), .doc = "Its number inside of the container." },
    { F_UNSIGNED(ProcessReport, parent), .doc = "That of its parent; 0 when that is outside." },
    { F_UNSIGNED(ProcessReport, uid), .doc = "Its user's number." },
    { F_STRING(ProcessReport, user), .doc = "Its user's name in the image." },
    { F_STRING(ProcessReport, state), .doc = "The letter of its state." },
    { F_DURATION(ProcessReport, cpu_time), .doc = "Processor time." },
    { F_SIZE(ProcessReport, memory), .doc = "Resident memory." },
    { F_DURATION(ProcessReport, age), .doc = "How long ago it began." },
    { F_STRING(ProcessReport, command), .doc = "Its command line." },
};
DEFINE_SCHEMA(process_report_schema, ProcessReport, "process", "A process of a container.", process_fields);

static const Field process_list_fields[] = {
    { F_LIST(ProcessList, processes, process_report_schema), .max = STATISTICS_PROCESSES_MAX,
      .doc = "The processes." },
    { F_UNSIGNED(ProcessList, left_out), .doc = "How many more there are." },
};
DEFINE_SCHEMA(process_list_schema, ProcessList, "processes", "The processes of a container.",
              process_list_fields);

static const Field pong_fields[] = {
    { F_STRING(AgentPong, version), .doc = "The agent's version of podvisor." },
    { F_UNSIGNED(AgentPong, protocol), .doc = "The newest protocol that it speaks." },
    { F_STRING(AgentPong, kernel), .doc = "The release of the guest's kernel." },
    { F_ID128(AgentPong, boot), .doc = "The guest's boot." },
    { F_DURATION(AgentPong, time), .doc = "The guest's clock." },
    { F_DURATION(AgentPong, uptime), .doc = "How long the guest's kernel runs." },
};
DEFINE_SCHEMA(agent_pong_schema, AgentPong, "pong", "The agent's answer.", pong_fields);
