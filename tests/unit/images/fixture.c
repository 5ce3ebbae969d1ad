/* SPDX-License-Identifier: Apache-2.0 */
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/strings.h"
#include "tests/unit/images/fixture.h"

static pid_t start_shell(char *command, int output)
{
    char *arguments[] = { (char *)"sh", (char *)"-ec", command, NULL };
    posix_spawn_file_actions_t actions;
    pid_t pid;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (output >= 0)
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static int end_shell(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static _printf_(1, 0) int run_shell(const char *format, va_list args)
{
    _cleanup_(freep) char *command = strf_va(format, args);

    assert_non_null(command);
    return end_shell(start_shell(command, -1));
}

int shell_status(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int status = run_shell(format, args);
    va_end(args);
    return status;
}

void shell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int status = run_shell(format, args);
    va_end(args);
    assert_int_equal(status, 0);
}

char *shell_output(const char *format, ...)
{
    int fds[2];
    va_list args;
    Bytes bytes = { 0 };
    uint8_t *p;
    ssize_t n;

    va_start(args, format);
    _cleanup_(freep) char *command = strf_va(format, args);
    va_end(args);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = start_shell(command, fds[1]);
    close(fds[1]);
    while ((p = bytes_reserve(&bytes, 4096)) && (n = read(fds[0], p, 4096)) > 0)
        bytes.size += (size_t)n;
    close(fds[0]);
    assert_int_equal(end_shell(pid), 0);
    assert_int_equal(bytes_terminate(&bytes), 0);
    if (bytes.size > 0 && bytes.data[bytes.size - 1] == '\n')
        bytes.data[bytes.size - 1] = 0;
    return (char *)bytes.data;
}

void fixture_reopen(Fixture *f)
{
    char *error = NULL;

    f->store = image_store_free(f->store);
    int r = image_store_open(f->state, IMAGE_WRITE, &f->store, &error);
    if (r < 0)
        fail_msg("the store does not open: %s", error);
}

int fixture_new(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    char template[] = "/tmp/podvisor-images-XXXXXX";

    assert_non_null(f);
    assert_non_null(mkdtemp(template));
    assert_non_null(f->top = strdup(template));
    assert_int_equal(chmod(f->top, 0755), 0);
    assert_int_equal(chdir(f->top), 0);
    f->state = dir_make_at(AT_FDCWD, "state", 0700);
    assert_true(f->state >= 0);
    fixture_reopen(f);
    *state = f;
    return 0;
}

int fixture_free(void **state)
{
    Fixture *f = *state;

    image_store_free(f->store);
    close(f->state);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(shell_status("chmod -R u+rwx '%s'; rm -rf '%s'", f->top, f->top), 0);
    free(f->top);
    free(f);
    return 0;
}

void make_rootfs(const char *directory)
{
    shell("mkdir -p %s && cd %s && mkdir -p bin etc dev tmp var/empty\n"
          "cp /bin/busybox bin/busybox; ln -s busybox bin/sh; ln bin/busybox bin/hard\n"
          "echo root:x:0:0::/:/bin/sh >etc/passwd; echo secret >etc/shadow; chmod 0640 etc/shadow\n"
          "ln -s /etc/passwd etc/absolute; ln -s ../../../../etc/passwd etc/upwards; chmod 1777 tmp; chmod "
          "0555 var/empty\n"
          "cp bin/busybox bin/su; chmod 4755 bin/su\n"
          "if [ $(id -u) = 0 ]; then mknod dev/null c 1 3; chown 12:34 etc/shadow; fi\n"
          "find . -exec touch -h -d '2021-02-03 04:05:06' {} +",
          directory, directory);
}

void make_layout(const char *directory)
{
    shell("umoci init --layout %1$s && umoci new --image %1$s:latest && umoci unpack --rootless --image "
          "%1$s:latest bundle",
          directory);
    make_rootfs("bundle/rootfs");
    shell("rm -f bundle/rootfs/dev/null; touch -d 2021-01-01 bundle/rootfs/dev\n"
          "umoci repack --image %1$s:latest bundle\n"
          "umoci config --image %1$s:latest --config.entrypoint /bin/busybox --config.cmd echo --config.cmd "
          "hello "
          "--config.env LANG=C.UTF-8 --config.user 1000:100 --config.workingdir /var/ --config.stopsignal "
          "SIGINT "
          "--config.label evil=yes\n"
          "chmod -R u+rwx bundle; rm -rf bundle",
          directory);
}

char *mode_in_image(const char *blob, const char *path)
{
    /* An inode begins 32 * nid bytes behind the metadata's start, which is block 0 here; its mode is the third 16-bit word. */
    return shell_output("nid=$(dump.erofs --path=%s %s | sed -n 's/NID: *\\([0-9]*\\).*/\\1/p')\n"
                        "printf '%%o' $(od -An -tu2 -j $((nid * 32 + 4)) -N 2 %s)",
                        path, blob, blob);
}

char *import_ok(Fixture *f, const char *source, const char *name)
{
    ImageRecord record;
    char *error = NULL;
    const ImportOptions options = { .source = source, .name = name };

    int r = image_import(f->store, &options, &record, &error);
    if (r < 0)
        fail_msg("import of %s: %s", source, error);
    char *digest = take_ptr(record.digest);
    image_record_done(&record);
    assert_clean(f);
    return digest;
}

void import_fails(Fixture *f, const ImportOptions *options, int error, const char *words)
{
    char *sentence = NULL;
    size_t before = count_images(f);

    int r = image_import(f->store, options, NULL, &sentence);
    if (r != error || !sentence || !strstr(sentence, words))
        fail_msg("expected %d with \"%s\", got %d: %s", error, words, r, sentence ?: "no sentence");
    free(sentence);
    assert_int_equal(count_images(f), before);
    assert_clean(f);
}

void assert_clean(Fixture *f)
{
    _cleanup_(freep) char *left =
        shell_output("cd state/images; find work -mindepth 1; find . -name '.*' ! -name .; cd blobs; for r "
                     "in *.msgpack; do"
                     " [ ! -e \"$r\" ] || [ -e \"${r%%.msgpack}.erofs\" ] || echo \"$r\"; done");

    assert_string_equal(left, "");
}

size_t count_images(Fixture *f)
{
    ImageList list;

    assert_int_equal(image_list(f->store, &list, NULL), 0);
    size_t n = list.n_images;
    image_list_done(&list);
    return n;
}
