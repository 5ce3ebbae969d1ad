/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>

#include "base/log.h"
#include "base/socket.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/task-answer.h"
#include "cli/text.h"
#include "schemas/statistics.h"
#include "schemas/stream.h"

typedef struct Answer {
    const char *target;
    Bytes bytes;
    bool ended;
    int status;
} Answer;

static int finish(Answer *a, int status)
{
    a->ended = true;
    a->status = status;
    return 0;
}

static int take_data(Answer *a, const StreamData *data)
{
    if (data->channel != STREAM_STDOUT)
        return 0;
    if (a->bytes.size + data->data.size > STATISTICS_SIZE_MAX)
        return -EMSGSIZE;
    return bytes_append(&a->bytes, data->data.data, data->data.size);
}

static int take_exit(Answer *a, const StreamExit *e)
{
    _cleanup_(freep) char *message = text_safe(e->message);

    if (e->code == 0)
        return finish(a, STATUS_OK);
    log_error("%s: %s", a->target, str_empty(message) ? "the agent could not answer" : message);
    return finish(a, STATUS_FAILURE);
}

/* 0, or negative errno: what came is no answer. */
static int take_packet(Answer *a, int stream)
{
    _cleanup_(bytes_done) Bytes packet = { 0 };
    Message message;

    ssize_t n = packet_receive(stream, STREAM_PACKET_MAX, &packet, NULL);
    if (n == -EAGAIN)
        return 0;
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    int r = message_from_bytes(&stream_protocol, packet.data, packet.size, &message);
    if (r < 0)
        return r == -ENOTSUP ? 0 : r;
    if (message.type == STREAM_DATA)
        r = take_data(a, message.body);
    else if (message.type == STREAM_EXIT)
        r = take_exit(a, message.body);
    message_done(&message);
    return r;
}

static int await(Answer *a, int stream, usec_t timeout)
{
    usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), timeout);
    int r = fcntl(stream, F_SETFL, fcntl(stream, F_GETFL) | O_NONBLOCK) < 0 ? -errno : 0;

    while (r >= 0 && !a->ended) {
        usec_t left = usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
        struct pollfd fd = { .fd = stream, .events = POLLIN };
        int n = left > 0 ? poll(&fd, 1, (int)(left / USEC_PER_MSEC) + 1) : 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (n > 0)
            r = take_packet(a, stream);
        else if (errno != EINTR)
            r = -errno;
    }
    return r;
}

int task_answer(int stream, const char *target, usec_t timeout, const Schema *schema, void *object)
{
    Answer a = { .target = target };

    int r = await(&a, stream, timeout);
    if (r >= 0 && a.status == STATUS_OK)
        r = schema_from_bytes(schema, object, a.bytes.data, a.bytes.size, &statistics_limits, NULL);
    bytes_done(&a.bytes);
    if (r == -ETIMEDOUT) {
        log_error("%s: the agent did not answer in time", target);
        return STATUS_TIMEOUT;
    }
    if (r < 0)
        log_error_errno(r, "%s: the answer cannot be read", target);
    return r < 0 ? STATUS_FAILURE : a.status;
}
