/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Archives in files of a test's own directory, packed and unpacked. */
#include <fcntl.h>
#include <sys/stat.h>

#include "archive/tar-writer.h"
#include "archive/unpack.h"
#include "tests/unit/test.h"

typedef struct Jobs {
    TestDir dir;
    Bytes notes; /* each terminated */
    unsigned n_notes;
    Trouble t;
    TreeCount done;
} Jobs;

static inline _unused_ void jobs_note(void *userdata, const char *text)
{
    Jobs *j = userdata;

    j->n_notes++;
    assert_success(bytes_append(&j->notes, text, strlen(text) + 1));
}

/* The path of a file in the test's directory; lives until the next eight. */
static inline _unused_ const char *at(const Jobs *j, const char *name)
{
    static char paths[8][8192];
    static unsigned next;
    char *path = paths[next++ % 8];

    assert_in_range(snprintf(path, sizeof paths[0], "%s/%s", j->dir.path, name), 1, sizeof paths[0] - 1);
    return path;
}

/* Packs into DIR/archive. */
static inline _unused_ int pack(Jobs *j, const char *path)
{
    _cleanup_(closep) int out = open(at(j, "archive"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    PackJob job = { .path = path, .out = out, .note = jobs_note, .userdata = j };

    j->t = (Trouble){ 0 };
    return tree_pack(&job, &j->done, &j->t);
}

/* Unpacks DIR/archive. */
static inline _unused_ int unpack_as(Jobs *j, UnpackJob job)
{
    _cleanup_(closep) int in = open(at(j, "archive"), O_RDONLY | O_CLOEXEC);

    j->t = (Trouble){ 0 };
    job.in = in;
    job.note = jobs_note;
    job.userdata = j;
    return tree_unpack(&job, &j->done, &j->t);
}

static inline _unused_ int unpack(Jobs *j, const char *path)
{
    return unpack_as(j, (UnpackJob){ .path = path, .owners = geteuid() == 0, .power = true });
}

static inline _unused_ void write_file(const Jobs *j, const char *name, const void *data, size_t size)
{
    _cleanup_(closep) int fd = open(at(j, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_success(write_all(fd, data, size));
}

static inline _unused_ bool file_is(const Jobs *j, const char *name, const char *text)
{
    _cleanup_(bytes_done) Bytes b = { 0 };

    return file_read_at(AT_FDCWD, at(j, name), 1 << 20, &b) >= 0 && b.size == strlen(text) &&
           memcmp(b.data, text, b.size) == 0;
}

static inline _unused_ bool is_there(const Jobs *j, const char *name)
{
    struct stat st;
    return lstat(at(j, name), &st) == 0;
}

/* The archive begins anew. */
static inline _unused_ void archive_write(const Jobs *j, const Bytes *b)
{
    write_file(j, "archive", b->data, b->size);
}

/* One entry with its content. */
static inline _unused_ void archive_add(Bytes *b, TarEntry e, const char *content)
{
    if (e.type == TAR_FILE)
        e.size = strlen(content);
    assert_success(tar_write_head(b, &e));
    assert_success(bytes_append(b, content, strlen(content)));
    uint8_t *zeros = bytes_reserve(b, TAR_BLOCK);
    memset(zeros, 0, TAR_BLOCK);
    b->size += (size_t)tar_padding(strlen(content));
}

static inline _unused_ int jobs_open(void **state)
{
    Jobs *j = calloc(1, sizeof *j);

    assert_non_null(j);
    j->dir = test_dir_new();
    *state = j;
    return 0;
}

static inline _unused_ int jobs_close(void **state)
{
    Jobs *j = *state;

    bytes_done(&j->notes);
    test_dir_done(&j->dir);
    free(j);
    return 0;
}

#define WITH_JOBS(f) cmocka_unit_test_setup_teardown(f, jobs_open, jobs_close)
