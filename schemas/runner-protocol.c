/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/formats.h"
#include "schemas/runner-protocol.h"

static const Field hello_fields[] = {
    { F_UNSIGNED(RunnerHello, protocol), .doc = "The newest protocol version that the runner speaks." },
    { F_STRING(RunnerHello, name), .doc = "The pod's name." },
    { F_ID128(RunnerHello, uuid), .doc = "The machine's identity." },
    { F_UNSIGNED(RunnerHello, generation), .doc = "The generation of the frozen definition." },
    { F_UNSIGNED(RunnerHello, attempt), .doc = "The attempt of the frozen definition." },
    { F_ID128(RunnerHello, token), .doc = "The token of the frozen definition." },
    { F_STRING(RunnerHello, version), .doc = "The runner's version of podvisor." },
    { F_BOOL(RunnerHello, limits), .doc = "Whether it takes limits of containers while they run." },
    { F_BOOL(RunnerHello, hosts), .doc = "Whether it takes names of other pods while containers run." },
    { F_BOOL(RunnerHello, tasks), .doc = "Whether it knows other tasks than to run programs." },
    { F_BOOL(RunnerHello, attach), .doc = "Whether it can attach to the program of a container." },
};
DEFINE_SCHEMA(runner_hello_schema, RunnerHello, "hello", "Who the runner is.", hello_fields);

static const Field reply_fields[] = {
    { F_UNSIGNED(RunnerReply, error), .doc = "0, or an errno." },
    { F_STRING(RunnerReply, message), .doc = "Why not, in words." },
};
DEFINE_SCHEMA(runner_reply_schema, RunnerReply, "reply", "The answer to a request.", reply_fields);

static const Field welcome_fields[] = {
    { F_UNSIGNED(RunnerWelcome, protocol), .doc = "The protocol version that is spoken from now on." },
};
DEFINE_SCHEMA(runner_welcome_schema, RunnerWelcome, "welcome", "podvisord knows the runner.", welcome_fields);

static const Field stop_fields[] = {
    { F_DURATION(RunnerStop, timeout), .doc = "How long the guest has; then it is killed." },
    { F_STRING(RunnerStop, why), .doc = "Why, for the log." },
};
DEFINE_SCHEMA(runner_stop_schema, RunnerStop, "stop", "Stop the machine.", stop_fields);

static const Field exec_fields[] = {
    { F_STRING(ExecRequest, container), .format = &format_name, .doc = "The container." },
    { F_STRV(ExecRequest, command), .max = 4096, .doc = "The program and its arguments." },
    { F_ENVIRONMENT(ExecRequest, environment), .doc = "Added to the container's environment." },
    { F_STRING(ExecRequest, working_dir), .doc = "Instead of the container's." },
    { F_STRING(ExecRequest, user), .doc = "Instead of the container's." },
    { F_BOOL(ExecRequest, terminal), .doc = "Whether it gets a terminal." },
    { F_UNSIGNED(ExecRequest, rows), .max = 65535, .doc = "Of the terminal." },
    { F_UNSIGNED(ExecRequest, columns), .max = 65535, .doc = "Of the terminal." },
    { F_ENUM(ExecRequest, task, task_table), .doc = "What is to be done." },
    { F_BYTES(ExecRequest, path), .doc = "What is to be copied, or where to." },
    { F_BOOL(ExecRequest, directory), .doc = "Whether that has to be a directory." },
};
DEFINE_SCHEMA(exec_request_schema, ExecRequest, "exec", "Run a program in a container.", exec_fields);

static const Field introduction_fields[] = {
    { F_UNSIGNED(RunnerIntroduction, protocol),
      .doc = "The newest protocol version that the runner speaks." },
    { F_STRING(RunnerIntroduction, name), .format = &format_name, .doc = "The pod's name." },
    { F_STRING(RunnerIntroduction, version), .doc = "The runner's version of podvisor." },
};
DEFINE_SCHEMA(runner_introduction_schema, RunnerIntroduction, "introduction",
              "A runner without a definition.", introduction_fields);

static const Field image_fields[] = {
    { F_STRING(RunnerImage, digest), .doc = "Of the image whose descriptor comes along." },
};
DEFINE_SCHEMA(runner_image_schema, RunnerImage, "image", "An image that the machine reads.", image_fields);

static const Field admission_fields[] = {
    { F_STRING(RunnerAdmission, backend), .format = &format_name, .doc = "The backend of the pod." },
    { F_STRING(RunnerAdmission, log_level), .doc = "The least important messages that are logged." },
};
DEFINE_SCHEMA(runner_admission_schema, RunnerAdmission, "admission", "The run path is the runner's.",
              admission_fields);

static const Field file_fields[] = {
    { F_ENUM(RunnerFile, kind, pod_file_kind_table), .doc = "A secret or a config file." },
    { F_STRING(RunnerFile, name), .doc = "Its name." },
    { F_STRING(RunnerFile, error), .doc = "Why it cannot be read." },
};
DEFINE_SCHEMA(runner_file_schema, RunnerFile, "file", "The content of a secret or config file.", file_fields);

static const Field new_limits_fields[] = {
    { F_STRING(NewLimits, container), .flags = FIELD_KEY, .format = &format_name, .doc = "The container." },
    { F_GROUP(NewLimits, limits, limits_schema), .doc = "What it may use." },
};
DEFINE_SCHEMA(new_limits_schema, NewLimits, "new limits", "What a container may use from now on.",
              new_limits_fields);

static const Field limits_fields[] = {
    { F_UNSIGNED(RunnerLimits, generation), .doc = "The generation of the definition that says so." },
    { F_LIST(RunnerLimits, containers, new_limits_schema), .max = CONTAINERS_MAX, .doc = "The containers." },
};
DEFINE_SCHEMA(runner_limits_schema, RunnerLimits, "limits", "What containers may use from now on.",
              limits_fields);

int runner_limits_fill(const PodDefinition *pod, uint64_t generation, RunnerLimits *ret)
{
    const Field *field = schema_field(&runner_limits_schema, "containers");
    RunnerLimits l = { .generation = generation };

    for (size_t i = 0; i < pod_n_containers(pod); i++) {
        const ContainerDefinition *c = pod_container(pod, i);
        NewLimits *item = field_append(field, &l);
        if (!item || str_replace(&item->container, c->name) < 0) {
            schema_done(&runner_limits_schema, &l);
            return -ENOMEM;
        }
        item->limits = c->limits;
    }
    *ret = l;
    return 0;
}

static const Field hosts_fields[] = {
    { F_STRV(RunnerHosts, peers), .max = NETWORK_PEERS_MAX, .format = &format_host,
      .doc = "The names, each with its address." },
};
DEFINE_SCHEMA(runner_hosts_schema, RunnerHosts, "hosts", "The other pods of the pod's network.",
              hosts_fields);

static const Field refusal_fields[] = {
    { F_STRING(RunnerRefusal, message), .doc = "Why not, in words." },
};
DEFINE_SCHEMA(runner_refusal_schema, RunnerRefusal, "refusal", "The runner has nothing to do.",
              refusal_fields);

static const MessageType types[] = {
    [RUNNER_HELLO] = { "hello", &runner_hello_schema, "the runner says which machine it has" },
    [RUNNER_REPORT] = { "report", &runner_report_schema, "all that the runner observes" },
    [RUNNER_REPLY] = { "reply", &runner_reply_schema, "answers a request" },
    [RUNNER_WELCOME] = { "welcome", &runner_welcome_schema, "podvisord accepts the runner" },
    [RUNNER_STOP] = { "stop", &runner_stop_schema,
                      "stop the machine; the reply comes at once, the report when it ended" },
    [RUNNER_KILL] = { "kill", NULL, "kill the machine" },
    [RUNNER_PAUSE] = { "pause", NULL, "stop the machine's processors" },
    [RUNNER_RESUME] = { "resume", NULL, "let them go on" },
    [RUNNER_EXEC] = { "exec", &exec_request_schema,
                      "run a program; its streams go over the descriptor that comes along" },
    [RUNNER_ADOPT] = { "adopt", NULL, "take an indeterminate machine for ours if it proves its identity" },
    [RUNNER_FORGET] = { "forget", NULL,
                        "drop what is recorded of an indeterminate machine, if nothing runs" },
    [RUNNER_BYE] = { "bye", NULL, "the end is recorded; the runner cleans up and exits" },
    [RUNNER_FILE] = { "file", &runner_file_schema,
                      "the descriptor that comes along is the content of a secret or config file" },
    [RUNNER_LIMITS] = { "limits", &runner_limits_schema, "what containers may use from now on" },
    [RUNNER_INTRODUCE] = { "introduce", &runner_introduction_schema,
                           "a runner that a service manager started asks for its definition" },
    [RUNNER_IMAGE] = { "image", &runner_image_schema, "the descriptor that comes along is of this image" },
    [RUNNER_ADMIT] = { "admit", &runner_admission_schema, "the run path holds the definition" },
    [RUNNER_REFUSE] = { "refuse", &runner_refusal_schema, "there is nothing to do for this runner" },
    [RUNNER_HOSTS] = { "hosts", &runner_hosts_schema, "the other pods of the pod's network, by name" },
};
_Static_assert(ELEMENTSOF(types) == RUNNER_MESSAGE_MAX, "every message has a row");

const MessageTable runner_protocol = {
    .what = "runner protocol",
    .types = types,
    .n_types = RUNNER_MESSAGE_MAX,
    .limits = { .size = RUNNER_PACKET_MAX, .depth = 8, .count = 20000 },
};
