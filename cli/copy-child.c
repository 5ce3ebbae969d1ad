/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "archive/pack.h"
#include "archive/unpack.h"
#include "base/confine.h"
#include "base/file.h"
#include "base/strings.h"
#include "cli/copy-child.h"

/*
 * Words of the process: a letter, the text, a NUL. They are read at its end. Notes are so few (UNPACK_NOTES_MAX) and so short that the
 * pipe takes them all, unless the host gives this user smaller ones; then a note is lost rather than the copy held up.
 */
enum { LETTER_NOTE = 'n', LETTER_ERROR = 'e', WORDS_MAX = 64 * 1024, PIPE_SIZE = 1024 * 1024 };

/* --- the process ------------------------------------------------------------------------------------------------------ */

static int say(int words, char letter, const char *text, int error)
{
    _cleanup_(freep) char *word =
        letter == LETTER_ERROR ? strf("%c%d %s", letter, -error, text) : strf("%c%s", letter, text);

    return word ? write_all(words, word, strlen(word) + 1) : -ENOMEM;
}

static void note(void *userdata, const char *text)
{
    int r = say(*(int *)userdata, LETTER_NOTE, text, 0);

    /* What nobody hears is no reason to stop. */
    (void)r;
}

static int set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    return fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int confine(int directory)
{
    return confine_writes(&directory, 1);
}

static int work(const CopyJob *job, int fd, int words, TreeCount *done, Trouble *t)
{
    PackJob pack = { .path = job->path, .out = fd, .note = note, .userdata = &words };
    UnpackJob unpack = {
        .path = job->path,
        .tree = job->tree,
        .in = fd,
        .owners = geteuid() == 0,
        .power = job->power,
        .begin = confine,
        .note = note,
        .userdata = &words,
    };

    return job->pack ? tree_pack(&pack, done, t) : tree_unpack(&unpack, done, t);
}

static void __attribute__((noreturn)) run(const CopyJob *job, int fd, int words)
{
    /* What a user presses reaches the other side first, and then comes here as the end of the pipe, so that nothing is left in parts. */
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
    TreeCount done = { 0 };
    Trouble t = { 0 };

    TABLE_FOREACH (number, ignored)
        (void)signal(*number, SIG_IGN);
    (void)set_blocking(words, false);
    int r = work(job, fd, words, &done, &t);
    if (r >= 0)
        _exit(EXIT_SUCCESS);
    _cleanup_(freep) char *text = done.entries > 1 ? strf("%s; %llu entries before it were copied", t.text,
                                                          (unsigned long long)done.entries - 1)
                                                   : NULL;
    (void)set_blocking(words, true);
    (void)!say(words, LETTER_ERROR, text ?: t.text, r);
    _exit(EXIT_FAILURE);
}

/* --- here --------------------------------------------------------------------------------------------------------------- */

int copy_child_start(const CopyJob *job, CopyChild *ret, int *ret_fd)
{
    int data[2], words[2];

    if (pipe2(data, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_(closep) int out = data[0], in = data[1];
    if (pipe2(words, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_(closep) int hear = words[0], speak = words[1];
    /* Fewer changes between the two; where that is not allowed, more of them. */
    (void)fcntl(in, F_SETPIPE_SZ, PIPE_SIZE);
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        hear = safe_close(hear);
        (void)safe_close(job->not_for_it);
        if (job->pack)
            out = safe_close(out);
        else
            in = safe_close(in);
        run(job, job->pack ? in : out, speak);
    }
    *ret = (CopyChild){ .pid = pid, .words = take_fd(&hear) };
    *ret_fd = job->pack ? take_fd(&out) : take_fd(&in);
    return 0;
}

static int take_word(CopyResult *r, const char *word)
{
    char *text;

    if (*word == LETTER_NOTE)
        return bytes_append(&r->notes, word + 1, strlen(word));
    long error = strtol(word + 1, &text, 10);
    trouble_say(&r->trouble, error > 0 ? -(int)error : -EIO, "%s", text + (*text == ' '));
    return 0;
}

int copy_child_end(CopyChild *c, CopyResult *ret)
{
    _cleanup_(bytes_done) Bytes words = { 0 };
    _cleanup_(closep) int fd = take_fd(&c->words);
    int status, e = 0;

    *ret = (CopyResult){ 0 };
    for (ssize_t n = 1; n > 0 && words.size < WORDS_MAX;) {
        uint8_t *at = bytes_reserve(&words, 4096);
        n = at ? read(fd, at, 4096) : 0;
        words.size += n > 0 ? (size_t)n : 0;
        n = n < 0 && errno == EINTR ? 1 : n;
    }
    while (waitpid(c->pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    e = bytes_terminate(&words);
    for (const char *word = (const char *)words.data; e >= 0 && word < (const char *)words.data + words.size;
         word += strlen(word) + 1)
        e = take_word(ret, word);
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
    if (!well && ret->trouble.error == 0)
        trouble_say(&ret->trouble, -EIO, "the copying process on this host ended unexpectedly");
    return e;
}

void copy_result_done(CopyResult *r)
{
    bytes_done(&r->notes);
    *r = (CopyResult){ 0 };
}
