/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "guest/agent/power-button.h"

#define FAMILY "acpi_event"
#define GROUP "acpi_mc_group"
#define DEVICE_CLASS "button/power"
enum {
    EVENT_ATTRIBUTE =
        1, /* of the family; its content begins with the class of the device, a text in so many bytes */
    DEVICE_CLASS_SIZE = 20,
    MESSAGE_MAX = 4096,
};

/* --- messages ------------------------------------------------------------------------------------------------------- */

/* A part of a message; what is taken from it is copied out, since nothing in there is aligned for certain. */
typedef struct Span {
    const uint8_t *data;
    size_t size;
} Span;

static bool skip(Span *s, size_t n)
{
    if (n > s->size)
        return false;
    *s = (Span){ s->data + n, s->size - n };
    return true;
}

static bool copy_out(Span s, void *to, size_t n)
{
    if (n > s.size)
        return false;
    memcpy(to, s.data, n);
    return true;
}

/* Takes the next message of a datagram, and what is in it. */
static bool message_next(Span *s, struct nlmsghdr *ret_head, Span *ret_body)
{
    if (!copy_out(*s, ret_head, sizeof *ret_head) || ret_head->nlmsg_len < NLMSG_HDRLEN ||
        ret_head->nlmsg_len > s->size)
        return false;
    *ret_body = (Span){ s->data + NLMSG_HDRLEN, ret_head->nlmsg_len - (size_t)NLMSG_HDRLEN };
    return skip(s, MIN((size_t)NLMSG_ALIGN(ret_head->nlmsg_len), s->size));
}

static bool attribute_next(Span *s, unsigned *ret_type, Span *ret_value)
{
    struct nlattr head;

    if (!copy_out(*s, &head, sizeof head) || head.nla_len < NLA_HDRLEN || head.nla_len > s->size)
        return false;
    *ret_type = head.nla_type & (unsigned)NLA_TYPE_MASK;
    *ret_value = (Span){ s->data + NLA_HDRLEN, head.nla_len - (size_t)NLA_HDRLEN };
    return skip(s, MIN((size_t)NLA_ALIGN(head.nla_len), s->size));
}

static bool attribute(Span s, unsigned type, Span *ret)
{
    unsigned t;

    for (Span value; attribute_next(&s, &t, &value);)
        if (t == type) {
            *ret = value;
            return true;
        }
    return false;
}

static bool text_is(Span s, const char *text)
{
    return strnlen((const char *)s.data, s.size) == strlen(text) && memcmp(s.data, text, strlen(text)) == 0;
}

/* The number of the group that is looked for, among those of the family. */
static bool group_id(Span groups, uint32_t *ret)
{
    unsigned type;

    for (Span group, name, id; attribute_next(&groups, &type, &group);)
        if (attribute(group, CTRL_ATTR_MCAST_GRP_NAME, &name) && text_is(name, GROUP))
            return attribute(group, CTRL_ATTR_MCAST_GRP_ID, &id) && copy_out(id, ret, sizeof *ret);
    return false;
}

static int error_of(Span body)
{
    struct nlmsgerr error;

    return copy_out(body, &error, sizeof error) && error.error < 0 ? error.error : -EBADMSG;
}

int power_button_group_from(const void *data, size_t size, PowerButtonGroup *ret)
{
    Span rest = { data, size }, body, id, groups;
    struct nlmsghdr head;
    PowerButtonGroup found;

    if (!message_next(&rest, &head, &body))
        return -EBADMSG;
    if (head.nlmsg_type == NLMSG_ERROR)
        return error_of(body);
    if (head.nlmsg_type != GENL_ID_CTRL || !skip(&body, GENL_HDRLEN) ||
        !attribute(body, CTRL_ATTR_FAMILY_ID, &id) || !copy_out(id, &found.family, sizeof found.family) ||
        !attribute(body, CTRL_ATTR_MCAST_GROUPS, &groups) || !group_id(groups, &found.group))
        return -EBADMSG;
    *ret = found;
    return 0;
}

static bool is_press(Span body)
{
    Span event;

    if (!skip(&body, GENL_HDRLEN) || !attribute(body, EVENT_ATTRIBUTE, &event))
        return false;
    event.size = MIN(event.size, (size_t)DEVICE_CLASS_SIZE);
    return text_is(event, DEVICE_CLASS);
}

bool power_button_pressed_in(const void *data, size_t size, uint16_t family)
{
    Span rest = { data, size }, body;
    struct nlmsghdr head;
    bool pressed = false;

    while (message_next(&rest, &head, &body))
        pressed |= head.nlmsg_type == family && is_press(body);
    return pressed;
}

/* --- the socket ----------------------------------------------------------------------------------------------------- */

/* The kernel answers before send(2) returns. */
static int ask_for_group(int fd, PowerButtonGroup *ret)
{
    struct {
        struct nlmsghdr head;
        struct genlmsghdr generic;
        struct nlattr attribute;
        char name[NLA_ALIGN(sizeof FAMILY)];
    } question = {
        .head = { .nlmsg_len = sizeof question, .nlmsg_type = GENL_ID_CTRL, .nlmsg_flags = NLM_F_REQUEST },
        .generic = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 },
        .attribute = { .nla_len = NLA_HDRLEN + sizeof FAMILY, .nla_type = CTRL_ATTR_FAMILY_NAME },
        .name = FAMILY,
    };
    uint8_t answer[MESSAGE_MAX];

    if (send(fd, &question, sizeof question, 0) < 0)
        return -errno;
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    return n < 0 ? -errno : power_button_group_from(answer, (size_t)n, ret);
}

int power_button_init(PowerButton *b)
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK };
    PowerButtonGroup group = { 0 };
    _cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);

    *b = (PowerButton){ .fd = -1 };
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    int r = ask_for_group(fd, &group);
    if (r < 0)
        return r;
    int number = (int)group.group;
    if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &number, sizeof number) < 0)
        return -errno;
    b->family = group.family;
    b->fd = take_fd(&fd);
    return 0;
}

/* True when there may be more; what the kernel could not queue (ENOBUFS) is lost. */
static bool take_event(PowerButton *b, bool *pressed)
{
    uint8_t message[MESSAGE_MAX];
    struct sockaddr_nl from = { 0 };
    socklen_t from_size = sizeof from;

    ssize_t n = recvfrom(b->fd, message, sizeof message, 0, (struct sockaddr *)&from, &from_size);
    if (n < 0)
        return errno == ENOBUFS || errno == EINTR;
    if (from_size == sizeof from && from.nl_pid == 0)
        *pressed |= power_button_pressed_in(message, (size_t)n, b->family);
    return true;
}

static void on_event(void *userdata, uint32_t events)
{
    PowerButton *b = userdata;
    bool pressed = false;

    while (take_event(b, &pressed))
        continue;
    if (pressed)
        b->func(b->userdata);
}

int power_button_watch(PowerButton *b, Loop *l, void (*func)(void *userdata), void *userdata)
{
    b->func = func;
    b->userdata = userdata;
    b->watch = (Watch){ .func = on_event, .userdata = b };
    return loop_watch(l, &b->watch, b->fd, EPOLLIN);
}
