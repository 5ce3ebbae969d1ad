/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/journal.h"
#include "base/strings.h"
#include "base/units.h"

#define RETRY_INTERVAL USEC_PER_SEC
enum {
    JOURNAL_FIELDS_MAX = 64,
    SEND_BUFFER = 8 * 1024 * 1024, /* the kernel gives less where it may not be so much */
};

static const char *journal_path = "/run/systemd/journal/socket";
static int journal_fd = -1; /* connected; one for the process */

bool journal_is_there(void)
{
    return access(journal_path, W_OK) == 0;
}

void journal_set_path(const char *path)
{
    journal_path = path;
    journal_fd = safe_close(journal_fd);
}

/* --- encoding ------------------------------------------------------------------------------------------------------ */

static int append_text(Bytes *b, const char *text)
{
    return bytes_append(b, text, strlen(text));
}

/* KEY=value in a line; a value of several lines has its size before it. */
static int append_field(Bytes *b, const char *key, const void *value, size_t size)
{
    bool plain = !memchr(value, '\n', size);
    uint8_t length[8];

    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (uint8_t)((uint64_t)size >> (8 * i));
    int r = append_text(b, key);
    if (r >= 0)
        r = plain ? append_text(b, "=") : append_text(b, "\n");
    if (r >= 0 && !plain)
        r = bytes_append(b, length, sizeof length);
    if (r >= 0 && size > 0)
        r = bytes_append(b, value, size);
    return r < 0 ? r : append_text(b, "\n");
}

int journal_encode(Bytes *ret, int level, const LogField *fields, const void *message, size_t size)
{
    const char priority = (char)('0' + (level & 7));

    int r = append_field(ret, "MESSAGE", message ?: "", size);
    if (r >= 0)
        r = append_field(ret, "PRIORITY", &priority, 1);
    for (; r >= 0 && fields && fields->key; fields++)
        if (fields->value)
            r = append_field(ret, fields->key, fields->value, strlen(fields->value));
    return r;
}

/* --- sending ------------------------------------------------------------------------------------------------------- */

static int journal_connect(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int size = SEND_BUFFER;

    if (journal_fd >= 0)
        return 0;
    if (strlen(journal_path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, journal_path, strlen(journal_path));
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    journal_fd = take_fd(&fd);
    return 0;
}

/* What does not fit into a datagram goes as a sealed file. */
static int send_file(const Bytes *record)
{
    _cleanup_(closep) int fd = memfd_create("journal-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {
        .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) }
    };
    struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof control };

    if (fd < 0)
        return -errno;
    int r = write_all(fd, record->data, record->size);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        return -errno;
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return sendmsg(journal_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int send_once(const Bytes *record)
{
    int r = journal_connect();
    if (r < 0)
        return r;
    if (send(journal_fd, record->data, record->size, MSG_NOSIGNAL) >= 0)
        return 0;
    return errno == EMSGSIZE ? send_file(record) : -errno;
}

/* Nobody is behind the socket (any more): what is told to the next journald goes over a new one. */
static bool is_gone(int error)
{
    return error == -ECONNREFUSED || error == -ENOENT || error == -ENOTCONN || error == -ECONNRESET ||
           error == -EPIPE;
}

int journal_put(const Bytes *record)
{
    bool was_connected = journal_fd >= 0;

    int r = send_once(record);
    if (is_gone(r)) {
        journal_fd = safe_close(journal_fd);
        if (was_connected && is_gone(r = send_once(record)))
            journal_fd = safe_close(journal_fd);
    }
    return is_gone(r) || r == -ENOBUFS || r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -ENOSPC
               ? -EAGAIN
               : r;
}

int journal_send(int level, const LogField *fields, const void *message, size_t size)
{
    _cleanup_(bytes_done) Bytes record = { 0 };

    int r = journal_encode(&record, level, fields, message, size);
    return r < 0 ? r : journal_put(&record);
}

/* --- waiting ------------------------------------------------------------------------------------------------------- */

struct JournalWait {
    sd_event_source *room, *timer;
    JournalWaitFunc func;
    void *userdata;
};

JournalWait *journal_wait_free(JournalWait *w)
{
    if (!w)
        return NULL;
    sd_event_source_disable_unref(w->room);
    sd_event_source_disable_unref(w->timer);
    free(w);
    return NULL;
}

static int on_room(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    JournalWait *w = userdata;

    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    w->func(w->userdata);
    return 0;
}

static int on_time(sd_event_source *source, uint64_t now, void *userdata)
{
    JournalWait *w = userdata;

    w->func(w->userdata);
    return 0;
}

/* The timer is for a journald that is not there, and for one that does not come back to this socket. */
int journal_wait_new(sd_event *event, JournalWaitFunc func, void *userdata, JournalWait **ret)
{
    _cleanup_(journal_wait_freep) JournalWait *w = calloc(1, sizeof *w);
    int r = 0;

    if (!w)
        return -ENOMEM;
    *w = (JournalWait){ .func = func, .userdata = userdata };
    /* A descriptor of its own: the process's one may be closed before this is freed. */
    int fd = journal_fd >= 0 ? fcntl(journal_fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd >= 0) {
        r = sd_event_add_io(event, &w->room, fd, EPOLLOUT, on_room, w);
        if (r < 0)
            safe_close(fd);
        else
            r = sd_event_source_set_io_fd_own(w->room, true);
    }
    if (r >= 0)
        r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, RETRY_INTERVAL, RETRY_INTERVAL / 4,
                                       on_time, w);
    if (r < 0)
        return r;
    *ret = take_ptr(w);
    return 0;
}
