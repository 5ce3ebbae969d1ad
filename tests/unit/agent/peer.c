/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "guest/agent/task.h"
#include "tests/unit/agent/peer.h"

/* --- the machine --- */

static Peer *peer_of(Platform *p)
{
    return CONTAINER_OF(p, Peer, platform);
}

static int mount_image(Platform *platform, uint64_t disk, const char *target)
{
    const char *image = peer_of(platform)->image;

    if (!image)
        return -ENODEV;
    return mount(image, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* A file system of its own, as a disk is: it is told to be read-only at the end. */
static int mount_disk(Platform *platform, uint64_t disk, const VolumeDefinition *volume, const char *target)
{
    bool read_only = volume_is_read_only(volume);
    Peer *p = peer_of(platform);

    p->disk = disk;
    p->disk_mounts++;
    if (p->disk_error < 0)
        return p->disk_error;
    return mount("disk", target, "tmpfs", MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0), "mode=0755") < 0
               ? -errno
               : 0;
}

static int mount_share(Platform *platform, const char *tag, const VolumeDefinition *volume,
                       const char *target)
{
    Peer *p = peer_of(platform);

    (void)snprintf(p->share, sizeof p->share, "%s", tag);
    p->share_mounts++;
    return p->disk_error < 0                                     ? p->disk_error
           : mount("share", target, "tmpfs", 0, "mode=0755") < 0 ? -errno
                                                                 : 0;
}

static void step_clock(Platform *platform, int64_t step)
{
    peer_of(platform)->step += step;
}

static int set_hostname(Platform *platform, const char *name)
{
    Peer *p = peer_of(platform);
    (void)snprintf(p->hostname, sizeof p->hostname, "%s", name);
    return 0;
}

static int set_sysctl(Platform *platform, const char *path, const char *value)
{
    Peer *p = peer_of(platform);
    (void)snprintf(p->sysctl, sizeof p->sysctl, "%s %s", path, value);
    return str_after(path, "net/nothing") ? -ENOENT : 0;
}

/* What this host has, as it is. */
static int bring_device(Platform *platform, const char *path)
{
    return access(path, F_OK) < 0 ? -ENOENT : 0;
}

static void bring_shares(Platform *platform) {}

static void bring_swap(Platform *platform)
{
    peer_of(platform)->swap_asked = true;
}

static int start_swap(Platform *platform, uint64_t disk, Failure *f)
{
    Peer *p = peer_of(platform);

    p->disk = disk;
    return p->disk_error == 0 || p->disk_error == -ENODEV
               ? p->disk_error
               : failure_set(f, p->disk_error, "swap space could not be made");
}

static void close_kernel(Platform *platform)
{
    peer_of(platform)->kernel_closed = true;
}

static int set_network(Platform *platform, const AgentNetwork *network, Failure *f)
{
    Peer *p = peer_of(platform);
    (void)snprintf(p->network, sizeof p->network, "%s", network->addresses ? network->addresses[0] : "");
    return 0;
}

static int add_entropy(Platform *platform, const void *data, size_t size)
{
    peer_of(platform)->entropy += size;
    return 0;
}

static void prepare(Platform *platform) {}

static bool has_settled(Platform *platform)
{
    Peer *p = peer_of(platform);

    p->looked++;
    return p->looked > p->unsettled;
}

static void power_off(Platform *platform)
{
    peer_of(platform)->powered_off = true;
}

static const PlatformOps ops = {
    .mount_image = mount_image,
    .mount_disk = mount_disk,
    .mount_share = mount_share,
    .step_clock = step_clock,
    .set_hostname = set_hostname,
    .set_sysctl = set_sysctl,
    .bring_device = bring_device,
    .bring_swap = bring_swap,
    .bring_shares = bring_shares,
    .start_swap = start_swap,
    .close_kernel = close_kernel,
    .set_network = set_network,
    .add_entropy = add_entropy,
    .prepare = prepare,
    .has_settled = has_settled,
    .power_off = power_off,
};

/* --- what comes --- */

static void take_reply(Peer *p, const Message *m)
{
    const RunnerReply *reply = m->body;

    p->reply_id = m->id;
    p->reply_error = reply->error;
    (void)snprintf(p->reply, sizeof p->reply, "%s", reply->message ?: "");
}

static void take_welcome(Peer *p, const Message *m)
{
    const AgentWelcome *w = m->body;

    p->welcomes++;
    p->welcome_version = w->version;
    p->welcome_configured = w->configured;
    p->welcome_boot = w->boot;
}

static void take_report(Peer *p, const Message *m)
{
    schema_done(&agent_report_schema, &p->report);
    assert_success(schema_copy(&agent_report_schema, m->body, &p->report));
}

static void take_log(Peer *p, const Message *m)
{
    const LogRecord *r = m->body;
    _cleanup_(freep) char *line =
        strf("%s %s %.*s%s", r->container, enum_to_string(&stream_channel_table, (int)r->channel),
             (int)r->data.size, (const char *)r->data.data, r->partial ? "" : "\n");

    assert_true(r->seq > p->log_seq);
    assert_success(bytes_append(&p->log, line, strlen(line)));
    assert_success(bytes_terminate(&p->log));
    p->log_seq = r->seq;
    p->log_dropped += r->dropped;
    if (p->acknowledges)
        peer_send(p, AGENT_LOG_ACK, &(AgentLogAck){ .seq = r->seq });
}

static void take_data(Peer *p, const Message *m)
{
    const AgentData *d = m->body;

    if (d->data.size == 0) {
        p->ends[d->channel]++;
        return;
    }
    assert_success(bytes_append(&p->streams[d->channel], d->data.data, d->data.size));
    if (d->stream < PEER_STREAMS)
        p->received[d->stream] += d->data.size;
    if (p->grants && (p->miser == 0 || d->stream != p->miser))
        peer_send(p, AGENT_CREDIT,
                  &(AgentCredit){ .stream = d->stream, .channel = d->channel, .bytes = d->data.size });
}

static void take_credit(Peer *p, const Message *m)
{
    p->input_credit += ((const AgentCredit *)m->body)->bytes;
}

static void take_exit(Peer *p, const Message *m)
{
    size_t used = strlen(p->exit_messages);

    p->exit = *(const AgentExit *)m->body;
    (void)snprintf(p->exit_messages + used, sizeof p->exit_messages - used, "%s", p->exit.message ?: "");
    p->exit.message = NULL;
    p->exits++;
}

static void take_clock(Peer *p, const Message *m)
{
    p->clock = *(const AgentClock *)m->body;
}

static void (*const takers[AGENT_MESSAGE_MAX])(Peer *p, const Message *m) = {
    [AGENT_REPLY] = take_reply, [AGENT_WELCOME] = take_welcome, [AGENT_REPORT] = take_report,
    [AGENT_LOG] = take_log,     [AGENT_DATA] = take_data,       [AGENT_CREDIT] = take_credit,
    [AGENT_EXIT] = take_exit,   [AGENT_CLOCK] = take_clock,
};

static void take_all(Peer *p)
{
    const uint8_t *payload;
    uint8_t buffer[16384];
    uint32_t session;
    size_t size;
    Message m;

    for (ssize_t n; (n = read(p->fd, buffer, sizeof buffer)) > 0;)
        assert_success(frame_decoder_push(&p->decoder, buffer, (size_t)n));
    while (frame_decoder_next(&p->decoder, &session, &payload, &size) > 0) {
        assert_success(message_from_bytes(&agent_protocol, payload, size, &m));
        assert_non_null(takers[m.type]);
        if (session == p->session)
            takers[m.type](p, &m);
        message_done(&m);
    }
}

/* --- rounds --- */

static void on_deadline(void *userdata)
{
    ((Peer *)userdata)->timed_out = true;
}

void peer_deadline(Peer *p, usec_t timeout)
{
    p->timed_out = false;
    p->deadline = (Timer){ .func = on_deadline, .userdata = p };
    loop_timer_set(&p->agent->loop, &p->deadline, usec_add(loop_now(&p->agent->loop), timeout));
    take_all(p);
}

void peer_round(Peer *p)
{
    assert_success(agent_round(p->agent));
    /* What the round has made is moved before the next one waits. */
    while (agent_pump(p->agent))
        continue;
    take_all(p);
}

/*
 * A mount namespace whose root is this process's, as the agent's is in a guest; or else who enters a container's namespace by
 * setns(2) is not in the container's root, but in the root of the machine around a test that was given another one (chroot).
 */
static bool own_mounts(void)
{
    if (unshare(CLONE_NEWNS) < 0)
        return false;
    _cleanup_(closep) int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(closep) int ours = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (here < 0 || ours < 0 || setns(ours, CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    _cleanup_(closep) int tree =
        open_tree(here, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    assert_true(tree >= 0);
    assert_success(move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
    assert_true(fchdir(tree) == 0 && chroot(".") == 0);
    return true;
}

/* What the agent mounts goes away with one mount, which nobody else sees. */
static bool make_private(TestDir *d)
{
    if (!own_mounts() || mount("tmpfs", d->path, "tmpfs", 0, NULL) < 0)
        return false;
    safe_close(d->fd);
    d->fd = dir_open_at(AT_FDCWD, d->path);
    assert_true(d->fd >= 0);
    return true;
}

/* A directory of the real control groups if that can be had, else one that only looks so. */
static int open_cgroup(Peer *p)
{
    _cleanup_(freep) char *path = strf("%s/cgroup", p->dir.path);

    assert_true(path && mkdir(path, 0755) == 0);
    if (p->privileged && mount("cgroup2", path, "cgroup2", 0, NULL) == 0) {
        p->cgroup_top = dir_open_at(AT_FDCWD, path);
        int fd = dir_make_at(p->cgroup_top, strrchr(p->dir.path, '/') + 1, 0755);
        if (fd >= 0)
            return fd;
        p->cgroup_top = safe_close(p->cgroup_top);
    }
    return dir_open_at(AT_FDCWD, path);
}

bool peer_can_run(const Peer *p)
{
    return p->cgroup_top >= 0;
}

void peer_open(Peer *p)
{
    int fds[2];

    *p =
        (Peer){ .dir = test_dir_new(), .session = 7, .acknowledges = true, .grants = true, .cgroup_top = -1 };
    p->privileged = make_private(&p->dir);
    p->platform = (Platform){ .ops = &ops, .run = p->dir.path, .cgroup = open_cgroup(p) };
    assert_true(p->platform.cgroup >= 0);
    assert_success(id128_random(&p->token));
    assert_success(agent_new(&p->agent, &p->platform, NULL));
    assert_success(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
    assert_success(port_open(&p->agent->port, fds[0]));
    p->fd = fds[1];
}

void peer_end_agent(Peer *p)
{
    size_t n = p->platform.template ? MAX(p->agent->n_containers, 1U) : p->agent->n_containers;
    bool tasks = p->agent->task_cgroup >= 0;
    char name[24];

    loop_timer_clear(&p->agent->loop, &p->deadline);
    p->agent = agent_free(p->agent);
    /* What cannot be removed is not empty: the agent left a process behind. */
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "%zu", i);
        assert_success(unlinkat(p->platform.cgroup, name, AT_REMOVEDIR));
    }
    if (tasks)
        assert_success(unlinkat(p->platform.cgroup, TASK_CGROUP, AT_REMOVEDIR));
    if (p->cgroup_top >= 0)
        assert_success(unlinkat(p->cgroup_top, strrchr(p->dir.path, '/') + 1, AT_REMOVEDIR));
}

void peer_close(Peer *p)
{
    if (p->agent)
        peer_end_agent(p);
    safe_close(p->cgroup_top);
    schema_done(&agent_report_schema, &p->report);
    frame_decoder_done(&p->decoder);
    bytes_done(&p->log);
    for (int i = 0; i < STREAM_CHANNEL_MAX; i++)
        bytes_done(&p->streams[i]);
    safe_close(p->fd);
    safe_close(p->platform.cgroup);
    if (p->privileged)
        assert_success(umount2(p->dir.path, MNT_DETACH));
    test_dir_done(&p->dir);
}

/* --- what goes --- */

static void send_with_id(Peer *p, AgentMessageType type, uint64_t id, const void *body)
{
    _cleanup_(bytes_done) Bytes message = { 0 };
    _cleanup_(bytes_done) Bytes frame = { 0 };

    assert_success(message_to_bytes(&agent_protocol, type, id, body, &message));
    assert_success(frame_append(&frame, p->session, message.data, message.size));
    for (size_t done = 0; done < frame.size;) {
        ssize_t n = write(p->fd, frame.data + done, frame.size - done);
        if (n < 0)
            assert_success(loop_round(&p->agent->loop, false));
        else
            done += (size_t)n;
    }
}

void peer_send(Peer *p, AgentMessageType type, const void *body)
{
    send_with_id(p, type, 0, body);
}

int peer_ask(Peer *p, AgentMessageType type, const void *body)
{
    send_with_id(p, type, ++p->last_id, body);
    peer_until(p, p->reply_id == p->last_id);
    return (int)p->reply_error;
}

void peer_hello(Peer *p, uint32_t session, Id128 token, uint64_t version_min, uint64_t version_max)
{
    peer_say_hello(p, session,
                   &(AgentHello){ .token = token, .version_min = version_min, .version_max = version_max });
}

void peer_say_hello(Peer *p, uint32_t session, const AgentHello *hello)
{
    unsigned welcomes = p->welcomes;

    p->session = session;
    p->log_seq = 0;
    send_with_id(p, AGENT_HELLO, ++p->last_id, hello);
    peer_until(p, p->welcomes > welcomes || p->reply_id == p->last_id);
}

void peer_configure(Peer *p, const AgentContainer *containers, size_t n)
{
    VolumeDefinition volume = { .name = (char[]){ "cache" }, .size = 1024 * 1024 };
    AgentConfigure configure = {
        .hostname = (char[]){ "web" },
        .entropy = { .data = (uint8_t[]){ 1, 2, 3, 4 }, .size = 4 },
        .volumes = &volume,
        .n_volumes = p->privileged ? 1 : 0,
        .containers = (AgentContainer *)(uintptr_t)containers,
        .n_containers = n,
        .stop_timeout = 30 * USEC_PER_SEC,
    };

    configure.network = p->network_asked;
    peer_hello(p, 7, p->token, 1, 1);
    if (peer_ask(p, AGENT_CONFIGURE, &configure) != 0)
        fail_msg("configure: %s", p->reply);
}

const ContainerReport *peer_container(const Peer *p, const char *name)
{
    for (size_t i = 0; i < p->report.n_containers; i++)
        if (streq(p->report.containers[i].name, name))
            return &p->report.containers[i];
    return NULL;
}

bool peer_state_is(const Peer *p, const char *name, ContainerState state)
{
    const ContainerReport *c = peer_container(p, name);
    return c && c->state == state;
}

bool peer_log_has(const Peer *p, const char *text)
{
    return p->log.data && strstr((const char *)p->log.data, text);
}
