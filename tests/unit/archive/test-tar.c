/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, records and entries as bytes; and what other programs make of them. */
#include "archive/tar-header.h"
#include "archive/tar-pax.h"
#include "archive/tar-reader.h"
#include "base/program.h"
#include "tests/unit/archive/jobs.h"

typedef struct Memory {
    const Bytes *bytes;
    size_t at, step;
} Memory;

static ssize_t read_memory(void *userdata, void *buffer, size_t size)
{
    Memory *m = userdata;
    size_t n = MIN(MIN(size, m->step), m->bytes->size - m->at);

    memcpy(buffer, m->bytes->data + m->at, n);
    m->at += n;
    return (ssize_t)n;
}

static void numbers_are_octal_or_binary(void **state)
{
    char field[12];
    int64_t n;

    assert_true(tar_number_write(field, sizeof field, 0x1ffffffff));
    assert_memory_equal(field, "77777777777", 12);
    assert_false(tar_number_write(field, sizeof field, 0x200000000));
    assert_memory_equal(field, "00000000000", 12);
    assert_success(tar_number_read("  755 ", 6, &n));
    assert_int_equal(n, 0755);
    assert_success(tar_number_read("\x80\0\0\0\0\0\0\0\0\0\1\2", 12, &n));
    assert_int_equal(n, 258);
    assert_success(tar_number_read("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, &n));
    assert_int_equal(n, -2);
    assert_int_equal(tar_number_read("\x80\0\0\1\0\0\0\0\0\0\0\0", 12, &n), -EBADMSG);
    assert_int_equal(tar_number_read("\x80\0\0\0\x80\0\0\0\0\0\0\0", 12, &n), -EBADMSG);
    assert_int_equal(tar_number_read("7 8x", 4, &n), 0);
    assert_int_equal(tar_number_read("78", 2, &n), -EBADMSG);
}

static void records_count_their_own_length(void **state)
{
    Bytes b = { 0 };
    PaxRecord r;
    size_t offset = 0;

    for (size_t size = 0; size < 1100; size++) {
        _cleanup_(freep) char *value = calloc(1, size + 1);
        memset(value, 'v', size);
        assert_success(pax_append(&b, "key", value, size));
    }
    for (size_t size = 0; size < 1100; size++) {
        assert_int_equal(pax_next(&b, &offset, &r), 1);
        assert_true(pax_is(&r, "key") && !pax_is(&r, "ke"));
        assert_int_equal(r.size, size);
    }
    assert_int_equal(pax_next(&b, &offset, &r), 0);
    bytes_done(&b);
}

static void broken_records_are_refused(void **state)
{
    static const char *const texts[] = { "x",
                                         "5",
                                         "5 ",
                                         "5 a=",
                                         "6 a=b",
                                         "7 a=b\n",
                                         "3 \n",
                                         "0 a=b\n",
                                         "6 =ab\n",
                                         "6 abc\n",
                                         "99999999999999999999 a=b\n",
                                         "-6 a=b\n",
                                         "21 mtime=1.2.3000000\n",
                                         "11 uid=-1\n\n",
                                         "10 uid=x1\n" };
    TABLE_FOREACH (text, texts) {
        Bytes b = { .data = (uint8_t *)(uintptr_t)*text, .size = strlen(*text) };
        PaxValues v = { 0 };
        if (pax_read(&b, &v) != -EBADMSG)
            fail_msg("taken: %s", *text);
        pax_values_done(&v);
    }
}

static void times_before_the_epoch_are_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        uint32_t nanoseconds;
    } rows[] = { { "1", 1, 0 },
                 { "1.5", 1, 500000000 },
                 { "0.000000001", 0, 1 },
                 { "-1.25", -2, 750000000 },
                 { "-0.5", -1, 500000000 },
                 { "-3", -3, 0 },
                 { "2.1234567891", 2, 123456789 } };

    TABLE_FOREACH (row, rows) {
        Bytes b = { 0 };
        PaxValues v = { 0 };
        assert_success(pax_append_text(&b, "mtime", row->text));
        assert_success(pax_read(&b, &v));
        assert_int_equal(v.seconds, row->seconds);
        assert_int_equal(v.nanoseconds, row->nanoseconds);
        bytes_done(&b);
    }
}

static void an_entry_is_what_was_written(void **state)
{
    TarEntry e = {
        .type = TAR_SYMLINK, .mode = 0777, .uid = 4000000000u, .gid = 3000000, .seconds = -5, .nanoseconds = 7
    };
    Bytes b = { 0 };
    TarReader *r;
    const TarEntry *got;
    Trouble t = { 0 };

    e.name = calloc(1, 3000);
    e.link = calloc(1, 3000);
    memset(e.name, 'a', 2999);
    memset(e.link, 0xfe, 2999);
    assert_success(tar_write_head(&b, &e));
    assert_success(tar_write_end(&b));
    assert_int_equal(b.size % TAR_BLOCK, 0);
    for (size_t step = 1; step < 2000; step += 333) {
        Memory m = { .bytes = &b, .step = step };
        assert_success(tar_reader_new(&r, read_memory, &m));
        assert_int_equal(tar_reader_next(r, &got, &t), 1);
        assert_string_equal(got->name, e.name);
        assert_string_equal(got->link, e.link);
        assert_true(got->type == TAR_SYMLINK && got->uid == e.uid && got->gid == e.gid);
        assert_true(got->seconds == -5 && got->nanoseconds == 7);
        assert_int_equal(tar_reader_next(r, &got, &t), 0);
        assert_int_equal(tar_reader_next(r, &got, &t), 0);
        tar_reader_free(r);
    }
    tar_entry_done(&e);
    bytes_done(&b);
}

static void an_archive_that_is_cut_anywhere_is_broken(void **state)
{
    Bytes b = { 0 };

    archive_add(&b, (TarEntry){ .type = TAR_FILE, .name = (char[]){ "file" }, .nanoseconds = 1 },
                "some content");
    archive_add(&b, (TarEntry){ .type = TAR_DIRECTORY, .name = (char[]){ "dir/" } }, "");
    size_t whole = b.size;
    assert_success(tar_write_end(&b));
    for (size_t size = 0; size <= whole; size++) {
        Bytes cut = { .data = b.data, .size = size };
        Memory m = { .bytes = &cut, .step = SIZE_MAX };
        TarReader *r;
        const TarEntry *got;
        Trouble t = { 0 };
        int n;
        assert_success(tar_reader_new(&r, read_memory, &m));
        while ((n = tar_reader_next(r, &got, &t)) > 0)
            continue;
        assert_int_equal(n, -EBADMSG);
        tar_reader_free(r);
    }
    bytes_done(&b);
}

/* Whether the shell, in the test's directory, comes to the end of the script. */
static bool sh(const Jobs *j, const char *script)
{
    _cleanup_(freep) char *text = strf("cd %s && %s && echo went well", j->dir.path, script);
    char shell[] = "/bin/sh", option[] = "-c", *arguments[] = { shell, option, text, NULL };
    _cleanup_(bytes_done) Bytes said = { 0 };

    return program_read(arguments, true, 30 * USEC_PER_SEC, 65536, &said) >= 0 &&
           bytes_terminate(&said) >= 0 && str_ends_with((const char *)said.data, "went well\n");
}

/* GNU tar, where it is: what it makes is read, and what is made here it reads. */
static void gnu_tar_agrees(void **state)
{
    static const char *const scripts[] = { "tar -c --format=posix --sparse -f archive tree",
                                           "tar -c --format=gnu -f archive tree",
                                           "tar -c --format=ustar -f archive tree",
                                           "tar -c --format=v7 -f archive tree" };
    Jobs *j = *state;

    if (!sh(j, "tar --version | grep -q GNU"))
        skip();
    assert_int_equal(mkdir(at(j, "tree"), 0750), 0);
    write_file(j, "tree/file", "content", 7);
    write_file(j, "tree/hole", "x", 1);
    assert_int_equal(truncate(at(j, "tree/hole"), 1 << 20), 0);
    assert_int_equal(symlink("file", at(j, "tree/a-link-with-a-name-of-less-than-a-hundred-letters")), 0);
    TABLE_FOREACH (script, scripts) {
        assert_true(sh(j, *script));
        assert_success(unpack(j, at(j, "copy")));
        assert_true(sh(j, "diff -r tree copy && rm -r copy"));
    }
    assert_success(pack(j, at(j, "tree")));
    assert_true(sh(j, "mkdir gnu && tar -x -C gnu -f archive && diff -r tree gnu/tree"));
    assert_true(sh(j, "tar -c -S --format=gnu -f archive tree"));
    assert_int_equal(unpack(j, at(j, "copy")), -EOPNOTSUPP);
    assert_non_null(strstr(j->t.text, "--sparse-version=1.0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_octal_or_binary),
        cmocka_unit_test(records_count_their_own_length),
        cmocka_unit_test(broken_records_are_refused),
        cmocka_unit_test(times_before_the_epoch_are_exact),
        cmocka_unit_test(an_entry_is_what_was_written),
        cmocka_unit_test(an_archive_that_is_cut_anywhere_is_broken),
        WITH_JOBS(gnu_tar_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
