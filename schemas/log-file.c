/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "schemas/log-file.h"

enum {
    CHUNK = 32 * 1024,
    LOG_MODE = 0600,
};

static const PackLimits limits = { .size = FRAME_PAYLOAD_MAX, .depth = 4, .count = 100 };

static const Field entry_fields[] = {
    { F_ID128(LogEntry, machine), .doc = "The machine whose output it is." },
    { F_UNSIGNED(LogEntry, attempt), .doc = "The attempt of the pod." },
    { F_ENUM(LogEntry, stream, log_stream_table), .fallback = "stdout", .doc = "Where the line comes from." },
    { F_UNSIGNED(LogEntry, level), .fallback = "6", .max = 7, .doc = "How important it is." },
    { F_GROUP(LogEntry, record, log_record_schema), .doc = "The record of the agent." },
    { F_STRING(LogEntry, pod), .doc = "The pod that an event is about." },
    { F_STRING(LogEntry, event), .doc = "The name of the event." },
    { F_STRING(LogEntry, state), .doc = "The pod's state then." },
    { F_STRING(LogEntry, reason), .doc = "How its machine had ended last." },
    { F_UNSIGNED(LogEntry, generation), .doc = "The generation of its definition." },
};
DEFINE_SCHEMA(log_entry_schema, LogEntry, "log entry", "A record of output in a file.", entry_fields);

static char *older_name(const char *name)
{
    return strf("%s.1", name);
}

/* --- decoding -------------------------------------------------------------------------------------------------- */

/* 1 with the entry, 0 when the decoder has no more, -ENOMEM. */
static int entry_next(FrameDecoder *d, LogEntry *ret)
{
    const uint8_t *payload;
    uint32_t session;
    size_t size;

    while (frame_decoder_next(d, &session, &payload, &size) > 0) {
        int r = schema_from_bytes(&log_entry_schema, ret, payload, size, &limits, NULL);
        if (r >= 0)
            return 1;
        if (r == -ENOMEM)
            return r;
    }
    return 0;
}

/* Reads on from fd into the decoder: bytes, 0 at the end, negative errno. */
static ssize_t decoder_fill(FrameDecoder *d, int fd)
{
    uint8_t chunk[CHUNK];
    ssize_t n;

    do
        n = read(fd, chunk, sizeof chunk);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    int r = frame_decoder_push(d, chunk, (size_t)n);
    return r < 0 ? r : n;
}

/* --- writing --------------------------------------------------------------------------------------------------- */

struct LogFile {
    int dir, fd;
    char *name;     /* NAME.log */
    uint64_t size;  /* of the file */
    uint64_t limit; /* of each of the two */
    Id128 machine;  /* of the last entry */
    uint64_t seq;
};

LogFile *log_file_free(LogFile *f)
{
    if (!f)
        return NULL;
    safe_close(f->fd);
    safe_close(f->dir);
    free(f->name);
    free(f);
    return NULL;
}

static int log_file_create(LogFile *f)
{
    int fd = file_open_at(f->dir, f->name, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, LOG_MODE);
    if (fd < 0)
        return fd;
    safe_close(f->fd);
    f->fd = fd;
    f->size = 0;
    return 0;
}

static void note_number(LogFile *f, const LogEntry *entry)
{
    if (entry->record.seq == 0)
        return;
    f->machine = entry->machine;
    f->seq = entry->record.seq;
}

/* Walks one file: the last entry's number, and where the last whole frame ends. */
static int log_file_scan(LogFile *f, int fd, uint64_t *ret_end)
{
    FrameDecoder d = { 0 };
    uint64_t read_so_far = 0;
    LogEntry entry;
    ssize_t n;
    int r = 0;

    *ret_end = 0;
    while (r >= 0 && (n = decoder_fill(&d, fd)) != 0) {
        if (n < 0) {
            r = (int)n;
            break;
        }
        read_so_far += (uint64_t)n;
        while ((r = entry_next(&d, &entry)) > 0) {
            note_number(f, &entry);
            *ret_end = read_so_far - (d.buffer.size - d.offset);
            schema_done(&log_entry_schema, &entry);
        }
    }
    frame_decoder_done(&d);
    return r;
}

static int log_file_resume(LogFile *f)
{
    uint64_t end;

    /* The older file matters only while the newer one is empty: just after the rename of a rotation. */
    _cleanup_(freep) char *older = older_name(f->name);
    _cleanup_(closep) int fd = older ? file_open_at(f->dir, older, O_RDONLY | O_NONBLOCK, 0) : -ENOMEM;
    int r = fd >= 0 ? log_file_scan(f, fd, &end) : fd == -ENOENT ? 0 : fd;
    if (r < 0 || (r = log_file_create(f)) < 0)
        return r;
    if ((r = log_file_scan(f, f->fd, &end)) < 0)
        return r;
    f->size = end;
    return ftruncate(f->fd, (off_t)end) < 0 ? -errno : 0;
}

int log_file_open(const char *dir, const char *name, uint64_t size, LogFile **ret)
{
    _cleanup_(log_file_freep) LogFile *f = calloc(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    f->fd = -1;
    f->limit = MAX(size, (uint64_t)LOG_FILE_SIZE_MIN) / 2;
    f->dir = dir_open_at(AT_FDCWD, dir);
    if (f->dir < 0)
        return f->dir;
    if (!(f->name = strf("%s.log", name)))
        return -ENOMEM;
    int r = log_file_resume(f);
    if (r < 0)
        return r;
    *ret = take_ptr(f);
    return 0;
}

static int log_file_rotate(LogFile *f)
{
    _cleanup_(freep) char *older = older_name(f->name);

    if (!older)
        return -ENOMEM;
    if (renameat(f->dir, f->name, f->dir, older) < 0 && errno != ENOENT)
        return -errno;
    return log_file_create(f);
}

/* All of it or nothing: what was written of a frame that did not fit is cut off again. */
static int log_file_write(LogFile *f, const Bytes *frame)
{
    int r = write_all(f->fd, frame->data, frame->size);

    if (r < 0) {
        (void)!ftruncate(f->fd, (off_t)f->size);
        return r;
    }
    f->size += frame->size;
    return 0;
}

int log_file_append(LogFile *f, const LogEntry *entry)
{
    _cleanup_(bytes_done) Bytes packed = { 0 }, frame = { 0 };

    int r = schema_to_bytes(&log_entry_schema, entry, &packed);
    if (r < 0 || (r = frame_append(&frame, 0, packed.data, packed.size)) < 0)
        return r;
    if (f->size > 0 && f->size + frame.size > f->limit && (r = log_file_rotate(f)) < 0)
        return r;
    if ((r = log_file_write(f, &frame)) < 0)
        return r;
    note_number(f, entry);
    return 0;
}

uint64_t log_file_last_seq(const LogFile *f, Id128 machine)
{
    return id128_equal(f->machine, machine) ? f->seq : 0;
}

/* --- reading --------------------------------------------------------------------------------------------------- */

struct LogReader {
    int dir, fd;
    char *name;
    bool older; /* fd is the older file, or was the newer one when it was opened and has been renamed since */
    FrameDecoder decoder;
};

LogReader *log_reader_free(LogReader *r)
{
    if (!r)
        return NULL;
    frame_decoder_done(&r->decoder);
    safe_close(r->fd);
    safe_close(r->dir);
    free(r->name);
    free(r);
    return NULL;
}

/* Goes on with this file: 0 or negative errno. A torn frame at the end of the one before is forgotten. */
static int reader_enter(LogReader *r, const char *name, bool older)
{
    int fd = file_open_at(r->dir, name, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    safe_close(r->fd);
    r->fd = fd;
    r->older = older;
    frame_decoder_done(&r->decoder);
    return 0;
}

int log_reader_open(const char *dir, const char *name, LogReader **ret)
{
    _cleanup_(log_reader_freep) LogReader *r = calloc(1, sizeof *r);
    _cleanup_(freep) char *older = NULL;

    if (!r)
        return -ENOMEM;
    r->fd = -1;
    if ((r->dir = dir_open_at(AT_FDCWD, dir)) < 0)
        return r->dir;
    if (!(r->name = strf("%s.log", name)) || !(older = older_name(r->name)))
        return -ENOMEM;
    int e = reader_enter(r, older, true);
    if (e == -ENOENT)
        e = reader_enter(r, r->name, false);
    if (e < 0)
        return e;
    *ret = take_ptr(r);
    return 0;
}

/* The file that is read has become the older one, and another stands in its place. */
static bool reader_outrun(const LogReader *r)
{
    struct stat now, mine;

    return fstatat(r->dir, r->name, &now, AT_SYMLINK_NOFOLLOW) == 0 && fstat(r->fd, &mine) == 0 &&
           now.st_ino != mine.st_ino;
}

int log_reader_next(LogReader *r, LogEntry *ret)
{
    for (;;) {
        int e = entry_next(&r->decoder, ret);
        if (e != 0)
            return e;
        /* Asked before the end is read, so that nothing written in between is missed. */
        bool outrun = r->older || reader_outrun(r);
        ssize_t n = decoder_fill(&r->decoder, r->fd);
        if (n < 0)
            return (int)n;
        if (n > 0)
            continue;
        if (!outrun)
            return 0;
        e = reader_enter(r, r->name, false);
        if (e < 0)
            return e == -ENOENT ? 0 : e;
    }
}
