/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/agent.h"
#include "schemas/formats.h"

static const Field hello_fields[] = {
    { F_ID128(AgentHello, token), .doc = "Set by the first hello of a boot, the same in all later ones." },
    { F_UNSIGNED(AgentHello, version_min), .doc = "The oldest protocol version that the runner speaks." },
    { F_UNSIGNED(AgentHello, version_max), .doc = "The newest." },
    { F_BOOL(AgentHello, template), .doc = "Whether a template is made of this machine." },
    { F_BYTES(AgentHello, entropy), .doc = "Randomness for the guest." },
};
DEFINE_SCHEMA(agent_hello_schema, AgentHello, "hello", "Begins a session.", hello_fields);

static const Field clock_fields[] = {
    { F_UNSIGNED(AgentClock, round), .doc = "Which question it is, or is answered." },
    { F_SIGNED(AgentClock, step), .doc = "Microseconds by which the guest's clock is to be moved." },
    { F_DURATION(AgentClock, time), .doc = "The guest's clock; or the host's, for a guest that is far off." },
    { F_DURATION(AgentClock, uptime), .doc = "How long it runs." },
    { F_DURATION(AgentClock, tick), .doc = "What that goes forward by at once." },
};
DEFINE_SCHEMA(agent_clock_schema, AgentClock, "clock", "The guest's clock, asked for or told.", clock_fields);

static const Field welcome_fields[] = {
    { F_UNSIGNED(AgentWelcome, version), .doc = "The version taken; 0 when there is none in common." },
    { F_UNSIGNED(AgentWelcome, version_min), .doc = "The oldest that the agent speaks." },
    { F_UNSIGNED(AgentWelcome, version_max), .doc = "The newest." },
    { F_ID128(AgentWelcome, boot), .doc = "The guest's boot." },
    { F_STRING(AgentWelcome, kernel), .doc = "The release of the guest's kernel." },
    { F_STRING(AgentWelcome, agent), .doc = "The agent's version of podvisor." },
    { F_BOOL(AgentWelcome, configured), .doc = "Whether this boot has been configured already." },
    { F_UNSIGNED(AgentWelcome, log_first), .doc = "The oldest log record that is kept." },
    { F_UNSIGNED(AgentWelcome, log_next), .doc = "The number of the next log record." },
};
DEFINE_SCHEMA(agent_welcome_schema, AgentWelcome, "welcome", "The session stands.", welcome_fields);

static const Field container_fields[] = {
    { F_GROUP(AgentContainer, definition, container_schema), .doc = "As declared." },
    { F_STRV(AgentContainer, command), .doc = "The program and its arguments." },
    { F_ENVIRONMENT(AgentContainer, environment), .doc = "The program's environment." },
    { F_STRING(AgentContainer, working_dir), .doc = "The program's working directory." },
    { F_STRING(AgentContainer, user), .doc = "The program's user." },
    { F_STRING(AgentContainer, stop_signal), .format = &format_signal,
      .doc = "The signal that asks the program to end." },
    { F_ENUM(AgentContainer, role, container_role_table), .doc = "When it starts and stops." },
    { F_UNSIGNED(AgentContainer, disk), .doc = "The SCSI id of the image." },
};
DEFINE_SCHEMA(agent_container_schema, AgentContainer, "agent container", "A container to run.",
              container_fields);

static const Field disk_fields[] = {
    { F_STRING(AgentDisk, volume), .doc = "The volume." },
    { F_UNSIGNED(AgentDisk, disk), .doc = "The SCSI id of its disk." },
};
DEFINE_SCHEMA(agent_disk_schema, AgentDisk, "agent disk", "The disk of a volume.", disk_fields);

static const Field share_fields[] = {
    { F_STRING(AgentShare, volume), .doc = "The volume." },
    { F_STRING(AgentShare, tag), .doc = "The tag of its device." },
};
DEFINE_SCHEMA(agent_share_schema, AgentShare, "agent share", "The share of a volume.", share_fields);

static const Field network_fields[] = {
    { F_STRING(AgentNetwork, mac), .doc = "The interface's hardware address." },
    { F_STRV(AgentNetwork, addresses), .max = 8, .doc = "Its addresses, each with the bits of its network." },
    { F_STRV(AgentNetwork, gateways), .max = 8, .doc = "Where all else is reached by." },
    { F_STRV(AgentNetwork, nameservers), .max = 8, .doc = "What resolves names." },
    { F_STRV(AgentNetwork, hosts), .max = HOSTS_MAX, .format = &format_host, .doc = "Names of other hosts." },
    { F_STRV(AgentNetwork, peers), .max = NETWORK_PEERS_MAX, .format = &format_host,
      .doc = "Names of other pods, as they are at first." },
    { F_UNSIGNED(AgentNetwork, mtu), .max = 65535, .doc = "The largest packet; 0 leaves it." },
    { F_BOOL(AgentNetwork, dhcp), .doc = "Whether a DHCP server says the rest." },
    { F_DURATION(AgentNetwork, lease_timeout), .doc = "How long that may take." },
    { F_STRING(AgentNetwork, domain), .doc = "In which names are looked up." },
};
DEFINE_SCHEMA(agent_network_schema, AgentNetwork, "network", "The machine's network interface.",
              network_fields);

static const Field configure_fields[] = {
    { F_STRING(AgentConfigure, hostname), .doc = "The pod's name." },
    { F_BYTES(AgentConfigure, entropy), .doc = "Randomness of the host." },
    { F_BOOL(AgentConfigure, share_pids), .doc = "Whether the containers share one pid namespace." },
    { F_SIZE(AgentConfigure, shm_size), .doc = "The size of /dev/shm." },
    { F_STRV(AgentConfigure, sysctls), .max = SYSCTLS_MAX, .format = &format_sysctl,
      .doc = "Settings of the kernel." },
    { F_LIST(AgentConfigure, volumes, volume_schema), .max = VOLUMES_MAX, .doc = "The volumes." },
    { F_LIST(AgentConfigure, disks, agent_disk_schema), .max = VOLUMES_MAX, .doc = "The disks of volumes." },
    { F_LIST(AgentConfigure, shares, agent_share_schema), .max = VOLUMES_MAX,
      .doc = "The shares that are live." },
    { F_LIST(AgentConfigure, containers, agent_container_schema), .max = CONTAINERS_MAX,
      .doc = "The containers." },
    { F_DURATION(AgentConfigure, stop_timeout), .fallback = "30s",
      .doc = "How long an end may take that the power button asks for." },
    { F_GROUP(AgentConfigure, network, agent_network_schema), .doc = "The network interface." },
};
DEFINE_SCHEMA(agent_configure_schema, AgentConfigure, "configure", "What to run.", configure_fields);

static const Field file_fields[] = {
    { F_ENUM(AgentFile, kind, pod_file_kind_table), .doc = "A secret or a config file." },
    { F_STRING(AgentFile, name), .format = &format_name, .doc = "Its name." },
    { F_UNSIGNED(AgentFile, offset), .doc = "Where the data begins." },
    { F_BOOL(AgentFile, last), .doc = "Whether the file is whole now." },
    { F_BYTES(AgentFile, data), .doc = "The data." },
};
DEFINE_SCHEMA(agent_file_schema, AgentFile, "file", "A piece of a secret or config file.", file_fields);

static const Field stop_fields[] = {
    { F_DURATION(AgentStop, timeout), .doc = "For all containers together." },
};
DEFINE_SCHEMA(agent_stop_schema, AgentStop, "stop", "End the containers and power off.", stop_fields);

static const Field log_ack_fields[] = {
    { F_UNSIGNED(AgentLogAck, seq), .doc = "All up to and with this one are safe." },
};
DEFINE_SCHEMA(agent_log_ack_schema, AgentLogAck, "log_ack", "Log records are safe.", log_ack_fields);

static const Field exec_fields[] = {
    { F_UNSIGNED(AgentExec, stream), .doc = "The number by which its streams go." },
    { F_GROUP(AgentExec, request, exec_request_schema), .doc = "What to run." },
};
DEFINE_SCHEMA(agent_exec_schema, AgentExec, "exec", "Run a program in a container.", exec_fields);

static const Field stream_signal_fields[] = {
    { F_UNSIGNED(AgentStreamSignal, stream), .doc = "The stream." },
    { F_UNSIGNED(AgentStreamSignal, signal), .max = 64, .doc = "The signal." },
};
DEFINE_SCHEMA(agent_stream_signal_schema, AgentStreamSignal, "signal", "A signal for the program.",
              stream_signal_fields);

static const Field stream_resize_fields[] = {
    { F_UNSIGNED(AgentStreamResize, stream), .doc = "The stream." },
    { F_UNSIGNED(AgentStreamResize, rows), .max = 65535, .doc = "Lines." },
    { F_UNSIGNED(AgentStreamResize, columns), .max = 65535, .doc = "Columns." },
};
DEFINE_SCHEMA(agent_stream_resize_schema, AgentStreamResize, "resize", "The terminal's new size.",
              stream_resize_fields);

static const Field stream_fields[] = {
    { F_UNSIGNED(AgentStream, stream), .doc = "The stream." },
};
DEFINE_SCHEMA(agent_stream_schema, AgentStream, "hangup", "The client is gone.", stream_fields);

static const Field data_fields[] = {
    { F_UNSIGNED(AgentData, stream), .doc = "The stream." },
    { F_ENUM(AgentData, channel, stream_channel_table), .doc = "Which of the standard streams." },
    { F_BYTES(AgentData, data), .doc = "What was written; nothing at the end." },
};
DEFINE_SCHEMA(agent_data_schema, AgentData, "data", "A piece of a standard stream.", data_fields);

static const Field credit_fields[] = {
    { F_UNSIGNED(AgentCredit, stream), .doc = "The stream." },
    { F_ENUM(AgentCredit, channel, stream_channel_table), .doc = "Which of the standard streams." },
    { F_UNSIGNED(AgentCredit, bytes), .doc = "May be sent in addition." },
};
DEFINE_SCHEMA(agent_credit_schema, AgentCredit, "credit", "Room for more.", credit_fields);

static const Field report_fields[] = {
    { F_BOOL(AgentReport, completed), .doc = "Whether all is done." },
    { F_BOOL(AgentReport, power_button),
      .doc = "Whether the machine ends because its power button was pressed." },
    { F_GROUP(AgentReport, lease, lease_report_schema), .doc = "What it leases of a DHCP server." },
    { F_LIST(AgentReport, containers, container_report_schema), .max = CONTAINERS_MAX,
      .doc = "The containers." },
    { F_GROUP(AgentReport, start, start_times_schema), .doc = "When each step of the start was done." },
};
DEFINE_SCHEMA(agent_report_schema, AgentReport, "report", "What the containers do.", report_fields);

static const Field log_record_fields[] = {
    { F_UNSIGNED(LogRecord, seq), .doc = "The record's number." },
    { F_DURATION(LogRecord, time), .doc = "The guest's clock." },
    { F_STRING(LogRecord, container), .doc = "Whose output it is." },
    { F_ENUM(LogRecord, channel, stream_channel_table), .doc = "Standard output or standard error." },
    { F_BOOL(LogRecord, partial), .doc = "Whether the line goes on in the next record." },
    { F_UNSIGNED(LogRecord, dropped), .doc = "Records that were lost before this one." },
    { F_BYTES(LogRecord, data), .doc = "The line." },
};
DEFINE_SCHEMA(log_record_schema, LogRecord, "log", "A line of output.", log_record_fields);

static const Field exit_fields[] = {
    { F_UNSIGNED(AgentExit, stream), .doc = "The stream." },
    { F_SIGNED(AgentExit, code), .fallback = "-1", .doc = "The exit status; -1 for none." },
    { F_UNSIGNED(AgentExit, signal), .doc = "The signal that ended it; 0 for none." },
    { F_STRING(AgentExit, message), .doc = "What went wrong." },
};
DEFINE_SCHEMA(agent_exit_schema, AgentExit, "exit", "The program has ended.", exit_fields);

static const MessageType types[] = {
    [AGENT_HELLO] = { "hello", &agent_hello_schema, "begins a session" },
    [AGENT_CONFIGURE] = { "configure", &agent_configure_schema, "says what to run, once per boot" },
    [AGENT_STOP] = { "stop", &agent_stop_schema, "ends the containers and powers off" },
    [AGENT_PING] = { "ping", NULL, "asks for a reply" },
    [AGENT_LOG_ACK] = { "log_ack", &agent_log_ack_schema, "log records are safe on the host" },
    [AGENT_EXEC] = { "exec", &agent_exec_schema, "runs a program in a container" },
    [AGENT_SIGNAL] = { "signal", &agent_stream_signal_schema, "a signal for such a program" },
    [AGENT_RESIZE] = { "resize", &agent_stream_resize_schema, "a new size of its terminal" },
    [AGENT_HANGUP] = { "hangup", &agent_stream_schema, "its client is gone: it is ended" },
    [AGENT_FILE] = { "file", &agent_file_schema, "a piece of a secret or config file", .secret = true },
    [AGENT_TEMPLATE] = { "template", NULL, "this machine is to be copied: wait as after the boot" },
    [AGENT_LIMITS] = { "limits", &runner_limits_schema, "what containers may use from now on" },
    [AGENT_DATA] = { "data", &agent_data_schema, "a piece of a standard stream" },
    [AGENT_CREDIT] = { "credit", &agent_credit_schema, "room for more of a standard stream" },
    [AGENT_CLOCK] = { "clock", &agent_clock_schema, "the guest's clock, asked for or told" },
    [AGENT_WELCOME] = { "welcome", &agent_welcome_schema, "the session stands" },
    [AGENT_REPLY] = { "reply", &runner_reply_schema, "answers a request" },
    [AGENT_REPORT] = { "report", &agent_report_schema, "what the containers do" },
    [AGENT_LOG] = { "log", &log_record_schema, "a line of output" },
    [AGENT_EXIT] = { "exit", &agent_exit_schema, "how a program ended" },
    [AGENT_HOSTS] = { "hosts", &runner_hosts_schema, "other pods come and go" },
};
_Static_assert(ELEMENTSOF(types) == AGENT_MESSAGE_MAX, "every message has a row");

const MessageTable agent_protocol = {
    .what = "agent protocol",
    .types = types,
    .n_types = AGENT_MESSAGE_MAX,
    .limits = { .size = AGENT_MESSAGE_SIZE_MAX, .depth = 8, .count = 20000 },
};
