/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>

#include "base/strings.h"
#include "guest/agent/agent.h"

/* For output: one of the two channels. */
typedef struct AttachmentOutput {
    uint64_t credit;
    Timer patience; /* set while output waits for it */
} AttachmentOutput;

struct Attachment {
    Agent *agent;
    Attachment *next;
    Container *container;
    uint64_t stream;
    bool over;
    AttachmentOutput outputs[2];
    StreamInput input;
    const char *deaf; /* why the program can be given nothing, for people; NULL: it can */
};

static const char not_declared[] =
    "it takes no input; for that, its pod file has to say stdin = true or terminal = true";
static const char ended_before[] =
    "its standard input has come to its end; it is open again when the container is started again";

static bool is_of(const Attachment *t, const char *container)
{
    return !t->over && streq(t->container->config->definition.name, container);
}

static Attachment *find(const Agent *a, uint64_t stream)
{
    Attachment *t = a->attachments;

    while (t && (t->over || t->stream != stream))
        t = t->next;
    return t;
}

bool attach_uses(const Agent *a, uint64_t stream)
{
    return find(a, stream);
}

/* --- its end --- */

static void leave(Attachment *t)
{
    Loop *l = &t->agent->loop;

    for (size_t i = 0; i < ELEMENTSOF(t->outputs); i++)
        loop_timer_clear(l, &t->outputs[i].patience);
    stream_input_close(&t->input, l);
    t->over = true;
}

static void end(Attachment *t, int64_t code, uint64_t signal, const char *message)
{
    AgentExit x = {
        .stream = t->stream, .code = code, .signal = signal, .message = (char *)(uintptr_t)message
    };

    agent_send(t->agent, AGENT_EXIT, 0, &x);
    leave(t);
}

static void on_patience(void *userdata)
{
    end(userdata, -1, 0,
        "cut off, since nothing of its output was taken for 5s; the container goes on without waiting");
}

void attach_run_ended(Agent *a, const Container *c, const char *message)
{
    for (Attachment *t = a->attachments; t; t = t->next)
        if (!t->over && t->container == c)
            end(t, c->exit_code, c->exit_signal, message);
}

static void free_over(Agent *a)
{
    for (Attachment **p = &a->attachments; *p;) {
        Attachment *t = *p;
        if (t->over) {
            *p = t->next;
            free(t);
        } else
            p = &t->next;
    }
}

void attach_free_all(Agent *a)
{
    for (Attachment *t = a->attachments; t; t = t->next)
        leave(t);
    free_over(a);
}

/* --- its beginning --- */

/* Some programs draw nothing until they hear of another size, and the kernel is silent about one that is the same. */
static void draw_anew(const Container *c, unsigned rows, unsigned columns)
{
    if (rows == 0 || columns == 0)
        return;
    (void)container_resize(c, rows + 1, columns);
    (void)container_resize(c, rows, columns);
}

static int open_input(Attachment *t)
{
    int fd = container_input(t->container);

    if (fd < 0) {
        t->deaf = container_takes_input(&t->container->config->definition) ? ended_before : not_declared;
        stream_input_close(&t->input, &t->agent->loop);
        return 0;
    }
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : stream_input_open(&t->input, &t->agent->loop, copy);
}

static size_t count(const Agent *a)
{
    size_t n = 0;

    for (const Attachment *t = a->attachments; t; t = t->next)
        n += !t->over;
    return n;
}

int attach_start(Agent *a, const AgentExec *request, Failure *f)
{
    const ExecRequest *wanted = &request->request;
    Container *c = wanted->container ? agent_container(a, wanted->container) : NULL;

    int r = exec_check(a, request, c, f);
    if (r < 0)
        return r;
    if (count(a) >= ATTACHMENTS_MAX)
        return failure_say(f, -EAGAIN, "%d are attached to containers of this pod already", ATTACHMENTS_MAX);
    Attachment *t = malloc(sizeof *t);
    if (!t)
        return failure_set(f, -ENOMEM, "attach");
    *t = (Attachment){ .agent = a, .next = a->attachments, .container = c, .stream = request->stream };
    for (size_t i = 0; i < ELEMENTSOF(t->outputs); i++)
        t->outputs[i] = (AttachmentOutput){
            .credit = AGENT_STREAM_CREDIT,
            .patience = { .func = on_patience, .userdata = t },
        };
    stream_input_init(&t->input);
    a->attachments = t;
    if ((r = open_input(t)) < 0) {
        leave(t);
        return failure_set(f, r, "its input could not be set up");
    }
    draw_anew(c, (unsigned)wanted->rows, (unsigned)wanted->columns);
    return 0;
}

/* --- output --- */

static AttachmentOutput *output_of(Attachment *t, StreamChannel channel)
{
    return &t->outputs[channel == STREAM_STDERR];
}

size_t attach_room(Agent *a, const char *container, StreamChannel channel)
{
    size_t room = SIZE_MAX;

    for (Attachment *t = a->attachments; t; t = t->next) {
        AttachmentOutput *o = output_of(t, channel);
        if (!is_of(t, container))
            continue;
        if (o->credit > 0 && !port_busy(&a->port)) {
            loop_timer_clear(&a->loop, &o->patience);
            room = (size_t)MIN((uint64_t)room, o->credit);
            continue;
        }
        if (!o->patience.set)
            loop_timer_set(&a->loop, &o->patience, usec_add(loop_now(&a->loop), ATTACH_PATIENCE));
        room = 0;
    }
    return room;
}

void attach_take(Agent *a, const char *container, StreamChannel channel, const uint8_t *data, size_t size)
{
    AgentData d = { .channel = channel, .data = { .data = (uint8_t *)(uintptr_t)data, .size = size } };

    for (Attachment *t = a->attachments; t; t = t->next) {
        if (!is_of(t, container))
            continue;
        d.stream = t->stream;
        output_of(t, channel)->credit -= size;
        agent_send(a, AGENT_DATA, 0, &d);
    }
}

int attach_credit(Agent *a, uint64_t stream, StreamChannel channel, uint64_t bytes)
{
    Attachment *t = find(a, stream);

    if (!t)
        return -ENOENT;
    if (channel != STREAM_STDOUT && channel != STREAM_STDERR)
        return -EINVAL;
    AttachmentOutput *o = output_of(t, channel);
    o->credit = usec_add(o->credit, bytes);
    loop_timer_clear(&a->loop, &o->patience);
    return 0;
}

/* --- input --- */

/* For all who are attached. why: what those are told who give it more; NULL: it is passed over. */
static void end_input_of(Container *c, const char *why)
{
    container_input_end(c);
    for (Attachment *t = c->agent->attachments; t; t = t->next) {
        if (t->over || t->container != c)
            continue;
        stream_input_close(&t->input, &c->agent->loop);
        if (!t->deaf && !t->input.ended)
            t->deaf = why;
    }
}

static void write_input(Attachment *t)
{
    bool open = !t->input.closed;

    stream_input_write(&t->input, &t->agent->loop);
    /* At its end; or the program has closed its own side, which is no reason to hide from anybody what it goes on to say. */
    if (open && t->input.closed && !t->container->config->definition.terminal)
        end_input_of(t->container, t->input.ended ? ended_before : NULL);
}

int attach_input(Agent *a, uint64_t stream, const Bytes *data)
{
    Attachment *t = find(a, stream);

    if (!t)
        return -ENOENT;
    if (t->deaf && data->size > 0) {
        end(t, -1, 0, t->deaf);
        return 0;
    }
    int r = stream_input_push(&t->input, data->data, data->size);
    /* More than was granted: nothing can be believed of this stream any more. */
    if (r < 0)
        end(t, -1, 0, "it was given more input than it had asked for");
    return r;
}

static void pump_input(Attachment *t)
{
    write_input(t);
    AgentCredit credit = { .stream = t->stream,
                           .channel = STREAM_STDIN,
                           .bytes = stream_input_grant(&t->input) };
    if (credit.bytes > 0)
        agent_send(t->agent, AGENT_CREDIT, 0, &credit);
}

void attach_pump_all(Agent *a)
{
    for (Attachment *t = a->attachments; t; t = t->next)
        if (!t->over)
            pump_input(t);
    free_over(a);
}

/* --- what else the runner says of it --- */

int attach_signal(Agent *a, uint64_t stream, int signal)
{
    const Attachment *t = find(a, stream);

    if (!t)
        return -ENOENT;
    if (signal < 1 || signal > 64)
        return -EINVAL;
    if (t->container->child.pid <= 0)
        return -ESRCH;
    return pidfd_send_signal(t->container->child.pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int attach_resize(Agent *a, uint64_t stream, unsigned rows, unsigned columns)
{
    const Attachment *t = find(a, stream);

    if (!t)
        return -ENOENT;
    return rows == 0 || columns == 0 ? 0 : container_resize(t->container, rows, columns);
}

/* Who leaves right after typing has typed all the same. */
static void hang_up(Attachment *t)
{
    write_input(t);
    leave(t);
}

int attach_hangup(Agent *a, uint64_t stream)
{
    Attachment *t = find(a, stream);

    if (!t)
        return -ENOENT;
    hang_up(t);
    return 0;
}

void attach_hangup_all(Agent *a)
{
    for (Attachment *t = a->attachments; t; t = t->next)
        if (!t->over)
            hang_up(t);
}
