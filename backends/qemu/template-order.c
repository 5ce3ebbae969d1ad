/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "backends/qemu/template-order.h"
#include "base/file.h"
#include "base/socket.h"

enum { ORDER_TIMEOUT_MSEC = 10000 };

static int receive_packet(int channel, Message *ret, int *ret_fd)
{
    struct pollfd p = { .fd = channel, .events = POLLIN };
    _cleanup_(bytes_done) Bytes packet = { 0 };

    if (poll(&p, 1, ORDER_TIMEOUT_MSEC) <= 0)
        return -ETIMEDOUT;
    ssize_t n = packet_receive(channel, TEMPLATE_PACKET_MAX, &packet, ret_fd);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    return message_from_bytes(&template_protocol, packet.data, packet.size, ret);
}

static int receive_shape(int channel, TemplateShape *ret)
{
    _cleanup_(closep) int fd = -1;
    Message m;

    int r = receive_packet(channel, &m, &fd);
    if (r < 0)
        return r;
    r = m.type == TEMPLATE_WANT ? schema_copy(&template_shape_schema, m.body, ret) : -EPROTO;
    message_done(&m);
    return r;
}

static int receive_file(int channel, TemplateMessageType type, int *ret)
{
    _cleanup_(closep) int fd = -1;
    Message m;

    int r = receive_packet(channel, &m, &fd);
    if (r < 0)
        return r;
    r = m.type == (int)type && fd >= 0 ? 0 : -EPROTO;
    message_done(&m);
    if (r >= 0)
        *ret = take_fd(&fd);
    return r;
}

int template_order_receive(int channel, TemplateShape *ret, int *ret_memory, int *ret_state)
{
    _cleanup_(closep) int memory = -1, state = -1;
    TemplateShape shape;

    int r = receive_shape(channel, &shape);
    if (r < 0)
        return r;
    if ((r = receive_file(channel, TEMPLATE_MEMORY, &memory)) >= 0)
        r = receive_file(channel, TEMPLATE_STATE, &state);
    if (r < 0) {
        schema_done(&template_shape_schema, &shape);
        return r;
    }
    *ret = shape;
    *ret_memory = take_fd(&memory);
    *ret_state = take_fd(&state);
    return 0;
}
