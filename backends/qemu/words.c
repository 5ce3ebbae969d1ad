/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backends/qemu/command-line.h"
#include "backends/console.h"
#include "backends/qemu/qemu-vm.h"
#include "backends/qemu/vmm-log.h"
#include "base/strings.h"

#define BELL_NAME "console-bell"

/* Not sealed at its size yet: QEMU truncates what it opens for a log. */
int console_bell_new(void)
{
    _cleanup_(closep) int fd = memfd_create(BELL_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char path[64];

    if (fd < 0)
        return -errno;
    /* QEMU takes only what is open for writing alone. */
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int bell = open(path, O_WRONLY | O_CLOEXEC);
    return bell < 0 ? -errno : bell;
}

/* --- the bell -------------------------------------------------------------------------------------------------------- */

static void memory_open(Words *w, const char *process, const char *fd)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof path, "/proc/%.16s/fd/%.16s", process, fd);
    w->memory = open(path, O_RDWR | O_CLOEXEC);
    if (w->memory < 0 || fstat(w->memory, &st) < 0)
        return;
    if (st.st_size < CONSOLE_BELL_SIZE)
        (void)!ftruncate(w->memory, CONSOLE_BELL_SIZE);
    (void)fcntl(w->memory, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

/* The bell of a machine that an earlier runner started. */
static void memory_find(QemuVm *q)
{
    char process[24], path[64], target[64];
    struct dirent *entry;

    (void)snprintf(process, sizeof process, "%d", (int)q->record.pid);
    (void)snprintf(path, sizeof path, "/proc/%s/fd", process);
    DIR *d = opendir(path);
    while (d && q->words.memory < 0 && (entry = readdir(d))) {
        ssize_t n = readlinkat(dirfd(d), entry->d_name, target, sizeof target - 1);
        target[MAX(n, 0)] = 0;
        if (str_after(target, "/memfd:" BELL_NAME))
            memory_open(&q->words, process, entry->d_name);
    }
    if (d)
        (void)closedir(d);
}

static void bell_open(QemuVm *q)
{
    Words *w = &q->words;
    char name[24];

    if (w->memory >= 0)
        return;
    (void)snprintf(name, sizeof name, "%d", w->bell);
    if (w->bell >= 0)
        memory_open(w, "self", name);
    else
        memory_find(q);
}

/* What was written to it since it was wound back, or wiped. */
static void bell_read(const Words *w, Bytes *ret)
{
    uint8_t *text = bytes_reserve(ret, CONSOLE_BELL_SIZE);
    ssize_t n = text && w->memory >= 0 ? pread(w->memory, text, CONSOLE_BELL_SIZE, 0) : 0;
    size_t begin = 0, end;

    while (begin < (size_t)MAX(n, 0) && !text[begin])
        begin++;
    for (end = begin; end < (size_t)MAX(n, 0) && text[end];)
        end++;
    ret->size = end;
    bytes_consume(ret, begin);
}

static void bell_rewind(const Words *w)
{
    if (w->memory >= 0)
        (void)fallocate(w->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, CONSOLE_BELL_SIZE);
    if (w->bell >= 0)
        (void)lseek(w->bell, 0, SEEK_SET);
}

/* Reading empties the ring; what an earlier runner had read, and could not keep any more, is still in the bell. */
static void recover(const Words *w, Bytes *ring)
{
    _cleanup_(bytes_done) Bytes bell = { 0 };
    const uint8_t *found = NULL, *p;

    bell_read(w, &bell);
    if (bell.size <= ring->size)
        return;
    for (p = bell.data;
         ring->size > 0 && (p = memmem(p, bell.size - (size_t)(p - bell.data), ring->data, ring->size));)
        found = p++;
    if (!found && ring->size > 0)
        return;
    if (found)
        bell.size = (size_t)(found - bell.data) + ring->size;
    bytes_done(ring);
    *ring = take_struct(bell);
}

/* --- telling ------------------------------------------------------------------------------------------------------- */

static void tell(QemuVm *q, LogStream stream, const Bytes *b, bool gap)
{
    BackendEvent event = {
        .type = BACKEND_OUTPUT,
        .output = { .stream = stream, .data = b->data, .size = b->size, .gap = gap },
    };

    if (b->size > 0)
        qemu_tell(q, &event);
}

void words_of_vmm(QemuVm *q)
{
    _cleanup_(bytes_done) Bytes b = { 0 };

    if (vmm_log_read_from(q->log, (size_t)q->record.said, &b) < 0 || b.size == 0)
        return;
    q->record.said += b.size;
    tell(q, LOG_STREAM_VMM, &b, false);
}

void words_of_console(QemuVm *q, const char *base64)
{
    _cleanup_(bytes_done) Bytes b = { 0 };
    Words *w = &q->words;

    if (base64_decode(base64, &b) < 0)
        return;
    w->flooded = b.size >= COMMAND_LINE_CONSOLE_SIZE;
    bell_open(q);
    if (w->bell < 0 && !w->recovered)
        recover(w, &b);
    w->recovered = true;
    /* Winding back is a change of the bell, too, of which inotify tells: the reading after it finds nothing, and has to be the last. */
    if (b.size == 0)
        return;
    (void)console_keep(q->vm.context->vm_dir, &b);
    bell_rewind(w);
    tell(q, LOG_STREAM_CONSOLE, &b, w->flooded);
}

/* --- hearing ------------------------------------------------------------------------------------------------------- */

static void read_later(QemuVm *q);

static void on_ring(int error, const QmpValue *value, const char *description, void *userdata)
{
    QemuVm *q = userdata;
    const char *text = qmp_text(value);

    q->words.reading = false;
    if (error == 0 && text && (q->state == QEMU_RUNNING || q->state == QEMU_ENDING))
        words_of_console(q, text);
    if (q->words.flooded && q->state == QEMU_RUNNING)
        read_later(q);
}

static void read_now(QemuVm *q)
{
    uint64_t said = q->record.said;

    words_of_vmm(q);
    if (q->record.said != said)
        (void)qemu_step(q, q->record.step);
    if (q->state != QEMU_RUNNING || q->words.reading || !q->qmp)
        return;
    q->words.reading =
        qmp_command(q->qmp, "ringbuf-read", QMP_COMMAND_TIMEOUT, -1, on_ring, q, "{s:s, s:i, s:s}", "device",
                    COMMAND_LINE_CONSOLE, "size", COMMAND_LINE_CONSOLE_SIZE, "format", "base64") >= 0;
}

static int on_later(sd_event_source *source, uint64_t when, void *userdata)
{
    QemuVm *q = userdata;

    q->words.later = sd_event_source_disable_unref(q->words.later);
    read_now(q);
    return 0;
}

static void read_later(QemuVm *q)
{
    usec_t delay = q->words.flooded ? WORDS_FLOOD_INTERVAL : WORDS_INTERVAL;

    if (!q->words.later)
        (void)sd_event_add_time_relative(q->vm.context->event, &q->words.later, CLOCK_MONOTONIC, delay,
                                         WORDS_INTERVAL / 4, on_later, q);
}

static int on_heard(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    char events[4096];

    while (read(fd, events, sizeof events) > 0)
        ;
    read_later(userdata);
    return 0;
}

/* --- its life -------------------------------------------------------------------------------------------------------- */

static void watch(const Words *w, int fd)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0)
        (void)inotify_add_watch(w->inotify, path, IN_MODIFY);
}

void words_begin(QemuVm *q)
{
    Words *w = &q->words;

    bell_open(q);
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->inotify >= 0) {
        watch(w, q->log);
        watch(w, w->memory);
        (void)sd_event_add_io(q->vm.context->event, &w->heard, w->inotify, EPOLLIN, on_heard, q);
    }
    read_now(q);
}

void words_end(QemuVm *q)
{
    Words *w = &q->words;

    w->heard = sd_event_source_disable_unref(w->heard);
    w->later = sd_event_source_disable_unref(w->later);
    w->inotify = safe_close(w->inotify);
    w->bell = safe_close(w->bell);
    w->memory = safe_close(w->memory);
    w->reading = w->flooded = w->recovered = false;
}
