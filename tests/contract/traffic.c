/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a machine and comes out of it while it runs, and what outlives it. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "archive/tar-reader.h"
#include "archive/tar-writer.h"
#include "base/program.h"
#include "base/socket.h"
#include "tests/contract/obligations.h"

/* What came of an exec. */
typedef struct Said {
    Bytes out, errors;
    int64_t code;
    char *message; /* why no program ran */
} Said;

static void said_done(Said *s)
{
    bytes_done(&s->out);
    bytes_done(&s->errors);
    free(s->message);
}

static void send_input(int stream, const void *data, size_t size)
{
    const StreamData body = { .channel = STREAM_STDIN,
                              .data = { .data = (uint8_t *)(uintptr_t)data, .size = size } };
    _cleanup_(bytes_done) Bytes packet = { 0 };

    assert_true(size <= STREAM_DATA_MAX);
    assert_success(message_to_bytes(&stream_protocol, STREAM_DATA, 0, &body, &packet));
    int r = packet_send(stream, packet.data, packet.size, -1);
    /* It has ended already; how stands in what is still to be read. */
    if (r != -EPIPE && r != -ECONNRESET)
        assert_success(r);
}

/* True when it was the last. */
static bool take_word(Said *said, const Message *m)
{
    if (m->type == STREAM_EXIT) {
        const StreamExit *e = m->body;
        said->code = e->code;
        said->message = e->message ? strdup(e->message) : NULL;
        return true;
    }
    assert_int_equal(m->type, STREAM_DATA);
    const StreamData *d = m->body;
    Bytes *to = d->channel == STREAM_STDERR ? &said->errors : &said->out;
    assert_success(bytes_append(to, d->data.data, d->data.size));
    return false;
}

static bool hear_word(Harness *h, int stream, Said *said)
{
    struct pollfd p = { .fd = stream, .events = POLLIN };
    _cleanup_(bytes_done) Bytes packet = { 0 };
    _cleanup_(closep) int fd = -1;
    Message m;

    ssize_t n =
        poll(&p, 1, HARNESS_TIMEOUT_MSEC) > 0 ? packet_receive(stream, STREAM_PACKET_MAX, &packet, &fd) : 0;
    /* Told once when the other side closed without having read all of ours; what it sent before is still to be read. */
    if (n == -ECONNRESET)
        n = packet_receive(stream, STREAM_PACKET_MAX, &packet, &fd);
    if (n <= 0) {
        harness_show(h);
        fail_msg("nothing more came of an exec");
    }
    assert_success(message_from_bytes(&stream_protocol, packet.data, packet.size, &m));
    bool last = take_word(said, &m);
    message_done(&m);
    return last;
}

/* Does what the request says, with this on its standard input, and hears it out. The caller calls said_done(). */
static Said ask(Harness *h, ExecRequest request, const void *input, size_t size)
{
    Said said = { 0 };
    int pair[2];

    request.container = h->definition.pod.containers[0].name;
    assert_success(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
    _cleanup_(closep) int ours = pair[0], theirs = pair[1];
    assert_int_equal(harness_request(h, RUNNER_EXEC, &request, theirs), 0);
    theirs = safe_close(theirs);
    if (size > 0)
        send_input(ours, input, size);
    send_input(ours, NULL, 0);
    while (!hear_word(h, ours, &said))
        ;
    assert_success(bytes_terminate(&said.out));
    assert_success(bytes_terminate(&said.errors));
    return said;
}

static Said run_shell(Harness *h, const char *script, const char *input)
{
    char shell[] = "/bin/sh", option[] = "-c";
    char *command[] = { shell, option, (char *)(uintptr_t)script, NULL };

    return ask(h, (ExecRequest){ .command = command }, input, strlen(input));
}

static void assert_says(Harness *h, const char *script, const char *wanted)
{
    _cleanup_(said_done) Said said = run_shell(h, script, "");

    if (said.code != 0)
        fail_msg("%s: status %lld: %s%s", script, (long long)said.code, (char *)said.errors.data,
                 said.message ?: "");
    assert_string_equal((char *)said.out.data, wanted);
}

/* --- programs ---------------------------------------------------------------------------------------------------------- */

void a_program_runs_in_a_container_with_its_streams_and_its_status(Harness *h)
{
    start_ready(h);
    _cleanup_(said_done) Said said = run_shell(h, "cat; echo trouble >&2; exit 7", "in and out again\n");
    assert_string_equal((char *)said.out.data, "in and out again\n");
    assert_string_equal((char *)said.errors.data, "trouble\n");
    assert_int_equal(said.code, 7);
    stop_gently(h);
}

void a_program_that_is_not_there_is_named(Harness *h)
{
    char missing[] = "/bin/nothing", *command[] = { missing, NULL };

    start_ready(h);
    _cleanup_(said_done) Said said = ask(h, (ExecRequest){ .command = command }, NULL, 0);
    assert_int_equal(said.code, 127);
    assert_non_null(said.message);
    assert_non_null(strstr(said.message, missing));
    stop_gently(h);
}

/* --- copies ------------------------------------------------------------------------------------------------------------ */

static void put_letter(Bytes *archive, const char *content)
{
    char name[] = "letter", link[] = "";
    const TarEntry e = { .type = TAR_FILE,
                         .name = name,
                         .link = link,
                         .mode = 0640,
                         .uid = 1000,
                         .gid = 33,
                         .seconds = 1700000000,
                         .size = strlen(content) };
    static const uint8_t zeros[TAR_BLOCK];

    assert_success(tar_write_head(archive, &e));
    assert_success(bytes_append(archive, content, e.size));
    assert_success(bytes_append(archive, zeros, (size_t)tar_padding(e.size)));
    assert_success(tar_write_end(archive));
}

static ssize_t read_bytes(void *userdata, void *buffer, size_t size)
{
    Bytes *b = userdata;
    size_t n = MIN(size, b->size);

    if (n > 0)
        memcpy(buffer, b->data, n);
    bytes_consume(b, n);
    return (ssize_t)n;
}

static void assert_letter(Bytes *archive, const char *content)
{
    _cleanup_(tar_reader_freep) TarReader *r = NULL;
    const TarEntry *e = NULL;
    const uint8_t *data = NULL;
    uint64_t offset = 0;
    Trouble t = { 0 };

    assert_success(tar_reader_new(&r, read_bytes, archive));
    assert_int_equal(tar_reader_next(r, &e, &t), 1);
    assert_string_equal(e->name, "letter");
    assert_int_equal(e->mode, 0640);
    assert_int_equal(e->uid, 1000);
    assert_int_equal(e->gid, 33);
    assert_int_equal(e->seconds, 1700000000);
    assert_int_equal(e->size, strlen(content));
    assert_int_equal(tar_reader_data(r, &data, &offset, &t), (ssize_t)strlen(content));
    assert_memory_equal(data, content, strlen(content));
    assert_int_equal(tar_reader_next(r, &e, &t), 0);
}

void what_is_copied_in_comes_out_as_it_was(Harness *h)
{
    static const char content[] = "Dear machine,\nkeep this.\n";
    char tmp[] = "/tmp", letter[] = "/tmp/letter";
    _cleanup_(bytes_done) Bytes archive = { 0 };

    start_ready(h);
    put_letter(&archive, content);
    _cleanup_(said_done) Said in = ask(h,
                                       (ExecRequest){ .task = TASK_COPY_IN,
                                                      .path = { .data = (uint8_t *)tmp, .size = strlen(tmp) },
                                                      .directory = true },
                                       archive.data, archive.size);
    assert_int_equal(in.code, 0);
    _cleanup_(said_done) Said out = ask(
        h,
        (ExecRequest){ .task = TASK_COPY_OUT, .path = { .data = (uint8_t *)letter, .size = strlen(letter) } },
        NULL, 0);
    assert_int_equal(out.code, 0);
    assert_letter(&out.out, content);
    assert_says(h, "busybox rm /tmp/letter && echo gone", "gone\n");
    stop_gently(h);
}

/* --- disks ------------------------------------------------------------------------------------------------------------- */

/* A new file system, for whoever the VMM is run as. */
static void make_disk(Harness *h, const char *path)
{
    enum { SIZE = 16 << 20 };
    char program[] = "/sbin/mke2fs", quiet[] = "-q", type[] = "-t", ext4[] = "ext4";
    char *arguments[] = { program, quiet, type, ext4, (char *)(uintptr_t)path, NULL };
    _cleanup_(bytes_done) Bytes said = { 0 };

    _cleanup_(closep) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && ftruncate(fd, SIZE) == 0 && fchmod(fd, 0666) == 0);
    assert_success(program_read(arguments, true, HARNESS_TIMEOUT_MSEC * USEC_PER_MSEC, 65536, &said));
}

static void declare_disk(Harness *h)
{
    RunDefinition *d = &h->definition;
    VolumeDefinition *v = field_append(schema_field(&pod_schema, "volumes"), &d->pod);
    MountDefinition *m = field_append(schema_field(&container_schema, "mounts"), &d->pod.containers[0]);
    RunDisk *disk = field_append(schema_field(&run_definition_schema, "disks"), d);

    assert_true(v && m && disk);
    v->name = strdup("data");
    v->type = VOLUME_DISK;
    v->source = strf("%s/data.raw", h->dir.path);
    m->volume = strdup("data");
    m->path = strdup("/data");
    disk->volume = strdup("data");
    disk->directory = strdup(h->dir.path);
    disk->file = strdup("data.raw");
    make_disk(h, v->source);
}

void a_disk_keeps_its_data_from_one_machine_to_the_next(Harness *h)
{
    declare_disk(h);
    start_ready(h);
    assert_says(h, "echo kept >/data/x && cat /data/x", "kept\n");
    stop_gently(h);
    start_ready(h);
    assert_says(h, "cat /data/x; echo more >>/data/x; busybox sync", "kept\n");
    /* Nobody writes back what a machine had in its memory when it is killed; what had been said to be on the disk is there. */
    end_machine(h);
    harness_wait_state(h, RUNNER_ENDED);
    harness_bye(h);
    start_ready(h);
    assert_says(h, "cat /data/x", "kept\nmore\n");
    stop_gently(h);
}

void a_disk_that_is_not_there_ends_the_start_with_its_name(Harness *h)
{
    declare_disk(h);
    assert_int_equal(unlinkat(h->dir.fd, "data.raw", 0), 0);
    harness_freeze(h);
    harness_launch(h);
    harness_wait_state(h, RUNNER_ENDED);
    assert_int_equal(h->report.reason, END_START_FAILED);
    assert_non_null(strstr(h->report.message, "data.raw: No such file or directory"));
    harness_bye(h);
}
