/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>

#include "base/strings.h"
#include "guest/agent/agent.h"

enum { PUMP_READ_MAX = 16 * 1024 };

static Exec *exec_free(Exec *e)
{
    Loop *l = &e->agent->loop;

    for (Exec **p = &e->agent->execs; *p; p = &(*p)->next)
        if (*p == e) {
            *p = e->next;
            break;
        }
    children_forget(&e->agent->children, &e->child);
    loop_timer_clear(l, &e->hangup_timer);
    loop_unwatch(l, &e->launch_watch);
    safe_close(e->launch_status);
    exec_close_streams(e);
    free(e);
    return NULL;
}

void exec_free_all(Agent *a)
{
    while (a->execs)
        exec_free(a->execs);
}

Exec *exec_find(Agent *a, uint64_t stream)
{
    Exec *e = a->execs;

    while (e && (e->orphaned || e->failed || e->stream != stream))
        e = e->next;
    return e;
}

/* --- its end --- */

/* To the program, and to what of its session is still in its process group. */
static void signal_group(const Exec *e, int signal)
{
    if (e->child.pid <= 0)
        return;
    (void)pidfd_send_signal(e->child.pidfd, signal, NULL, 0);
    (void)kill(-e->child.pid, signal);
}

static void on_hangup_timer(void *userdata)
{
    signal_group(userdata, SIGKILL);
}

void exec_hangup(Exec *e)
{
    if (e->hung_up)
        return;
    e->hung_up = true;
    exec_close_streams(e);
    signal_group(e, SIGHUP);
    loop_timer_set(&e->agent->loop, &e->hangup_timer, usec_add(loop_now(&e->agent->loop), EXEC_HANGUP_GRACE));
}

void exec_hangup_all(Agent *a)
{
    for (Exec *e = a->execs; e; e = e->next) {
        exec_hangup(e);
        e->orphaned = true;
        e->request = 0;
    }
}

void exec_container_ended(Agent *a, const Container *c)
{
    for (Exec *e = a->execs; e; e = e->next)
        if (e->container == c && !e->ended) {
            e->why = "the container has ended";
            signal_group(e, SIGKILL);
        }
}

static void on_end(void *userdata, int code, int signal)
{
    Exec *e = userdata;

    exec_hear(e);
    e->ended = true;
    e->code = code;
    e->signal = signal;
    /* There may be output that no event has told of yet. */
    for (size_t i = 0; i < ELEMENTSOF(e->outputs); i++)
        e->outputs[i].readable = e->outputs[i].fd >= 0;
}

/* --- its beginning --- */

static size_t count(const Agent *a)
{
    size_t n = 0;

    for (const Exec *e = a->execs; e; e = e->next)
        n++;
    return n;
}

static int check_container(const ExecRequest *r, const Container *c, Failure *f)
{
    if (!c)
        return failure_say(f, -ENOENT, "there is no container %s", r->container ?: "without a name");
    return container_runs(c) ? 0
                             : failure_say(f, -ESRCH, "container %s does not run: %s", r->container,
                                           life_phase_table.rows[c->life.phase].doc);
}

int exec_check(Agent *a, const AgentExec *request, const Container *c, Failure *f)
{
    const ExecRequest *r = &request->request;
    int e = task_is_of_container(r->task) ? check_container(r, c, f) : 0;

    if (e < 0)
        return e;
    if (r->task == TASK_PROGRAM && strv_length(r->command) == 0)
        return failure_say(f, -EINVAL, "there is no command to run");
    if (exec_find(a, request->stream) || attach_uses(a, request->stream))
        return failure_say(f, -EEXIST, "stream %llu is in use", (unsigned long long)request->stream);
    if (count(a) >= AGENT_STREAMS_MAX)
        return failure_say(f, -EAGAIN, "%d programs run already by request", AGENT_STREAMS_MAX);
    return 0;
}

int exec_start(Agent *a, uint64_t id, const AgentExec *request, Failure *f)
{
    const ExecRequest *wanted = &request->request;
    const Container *c = wanted->container ? agent_container(a, wanted->container) : NULL;

    int r = exec_check(a, request, c, f);
    if (r < 0)
        return r;
    Exec *e = malloc(sizeof *e);
    if (!e)
        return failure_set(f, -ENOMEM, "%s", enum_to_string(&task_table, (int)wanted->task));
    *e =
        (Exec){ .agent = a, .next = a->execs, .stream = request->stream, .request = id, .launch_status = -1 };
    e->container = wanted->task == TASK_PROGRAM ? NULL : c;
    e->terminal = wanted->task == TASK_PROGRAM && wanted->terminal;
    e->rows = (unsigned)wanted->rows;
    e->columns = (unsigned)wanted->columns;
    e->child = (Child){ .pidfd = -1, .on_end = on_end, .userdata = e };
    e->hangup_timer = (Timer){ .func = on_hangup_timer, .userdata = e };
    stream_input_init(&e->input);
    stream_output_init(&e->outputs[0]);
    stream_output_init(&e->outputs[1]);
    a->execs = e;
    r = exec_launch(e, c, wanted, f);
    if (r < 0)
        exec_free(e);
    return r;
}

/* --- what the runner says of it --- */

int exec_input(Exec *e, const Bytes *data)
{
    int r = stream_input_push(&e->input, data->data, data->size);

    /* More than was granted: nothing can be believed of this stream any more. */
    if (r < 0)
        exec_hangup(e);
    return r;
}

int exec_credit(Exec *e, StreamChannel channel, uint64_t bytes)
{
    if (channel != STREAM_STDOUT && channel != STREAM_STDERR)
        return -EINVAL;
    StreamOutput *o = &e->outputs[channel == STREAM_STDERR];
    o->credit = usec_add(o->credit, bytes);
    return 0;
}

int exec_signal(Exec *e, int signal)
{
    if (signal < 1 || signal > 64)
        return -EINVAL;
    if (e->child.pid <= 0)
        return -ESRCH;
    return pidfd_send_signal(e->child.pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int exec_resize(Exec *e, unsigned rows, unsigned columns)
{
    struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };

    if (!e->terminal)
        return -ENOTTY;
    e->rows = rows;
    e->columns = columns;
    if (e->outputs[0].fd < 0 || rows == 0 || columns == 0)
        return 0;
    return ioctl(e->outputs[0].fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

/* --- its streams --- */

static void send_data(Exec *e, size_t i, uint8_t *data, size_t size)
{
    AgentData d = { .stream = e->stream,
                    .channel = i == 0 ? STREAM_STDOUT : STREAM_STDERR,
                    .data = { .data = data, .size = size } };
    agent_send(e->agent, AGENT_DATA, 0, &d);
}

static bool pump_output(Exec *e, size_t i)
{
    uint8_t buffer[PUMP_READ_MAX];
    StreamOutput *o = &e->outputs[i];

    if (!o->open || port_busy(&e->agent->port))
        return false;
    ssize_t n = stream_output_read(o, buffer, sizeof buffer);
    if (n > 0) {
        send_data(e, i, buffer, (size_t)n);
        return true;
    }
    /* Others may hold the pipe of a program that has ended; but what it wrote itself has been read when nothing is left. */
    if (n == -EAGAIN && (!e->ended || o->readable))
        return false;
    stream_output_close(o, &e->agent->loop);
    o->open = false;
    send_data(e, i, NULL, 0);
    return true;
}

static void pump_input(Exec *e)
{
    stream_input_write(&e->input, &e->agent->loop);
    uint64_t bytes = stream_input_grant(&e->input);
    AgentCredit credit = { .stream = e->stream, .channel = STREAM_STDIN, .bytes = bytes };
    if (bytes > 0)
        agent_send(e->agent, AGENT_CREDIT, 0, &credit);
}

/* True when all that is to be said of it has been said. */
static bool finished(const Exec *e)
{
    return e->ended && (e->hung_up || e->failed || (!e->outputs[0].open && !e->outputs[1].open));
}

static void finish(Exec *e)
{
    AgentExit x = { .stream = e->stream, .code = e->code, .signal = (uint64_t)e->signal };

    if (e->why) {
        x.code = -1;
        x.signal = 0;
        x.message = (char *)(uintptr_t)e->why;
    }
    if (!e->orphaned && !e->failed)
        agent_send(e->agent, AGENT_EXIT, 0, &x);
    exec_free(e);
}

bool exec_pump_all(Agent *a)
{
    bool more = false;

    for (Exec *e = a->execs, *next; e; e = next) {
        next = e->next;
        if (!e->hung_up && !e->failed) {
            pump_input(e);
            more |= pump_output(e, 0);
            more |= pump_output(e, 1);
        }
        if (finished(e))
            finish(e);
    }
    return more;
}
