/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/process.h"
#include "base/strings.h"
#include "supervisor/reap.h"
#include "supervisor/sources.h"
#include "supervisor/volume-make.h"
#include "supervisor/volumes.h"

#define MAKE_TIMEOUT (5 * USEC_PER_MINUTE)
#define COPY_SIZE_MAX ((rlim_t)4 << 30)

enum {
    KEPT = 3, /* the child's descriptor of the disk */
    BLOCK_SIZE = 4096,
    ROUND = 1 << 20, /* of sizes in messages */
    STATUS_NOT_FOUND = 127,
};

/* Whole by the file that it is linked from, so that it is told by what it is called that it is not. */
#define UNFINISHED ".%s.unfinished"

/* How the file of one type of volume comes to be. */
typedef struct Recipe {
    const char *program, *package; /* Debian's, that has it; NULL: the file is as good as it is made */
    const char *arguments[14];
    rlim_t size_max;
    bool one_start; /* it is made for each start */
    bool copies;    /* a directory */
} Recipe;

/* Of a new disk: no blocks for root alone, since who fills it is root in the guest, most of the time; it is zeros, so that nothing of
 * it must be zeroed again. */
static const Recipe recipes[VOLUME_TYPE_MAX] = {
    [VOLUME_DISK] = { "mke2fs",
                      "e2fsprogs",
                      { "mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E",
                        "root_owner=0:0,nodiscard,lazy_itable_init=1,lazy_journal_init=1",
                        "/proc/self/fd/3" },
                      RLIM_INFINITY,
                      false,
                      false },
    [VOLUME_SHARE] = { "mkfs.erofs",
                       "erofs-utils",
                       { "mkfs.erofs", "-d1", "--quiet", "/proc/self/fd/3", "." },
                       COPY_SIZE_MAX,
                       true,
                       true },
    /* Without a journal, since nobody brings it in order again. */
    [VOLUME_SCRATCH] = { "mke2fs",
                         "e2fsprogs",
                         { "mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-O", "^has_journal", "-E",
                           "root_owner=0:0,nodiscard,lazy_itable_init=1", "/proc/self/fd/3" },
                         RLIM_INFINITY,
                         true,
                         false },
    /* What is on it only the guest can read, so that writes its beginning, too. */
    [VOLUME_SWAP] = { .one_start = true },
};

struct VolumeMake {
    Pod *pod;
    VolumeType type;
    const Recipe *recipe;
    int source;   /* the directory that is copied; -1: none */
    char *volume; /* its name */
    char *path;   /* for messages */
    int directory;
    char *name, *unfinished;
    int disk;     /* the file */
    int messages; /* what the child says */
    int pidfd;
    sd_event_source *end, *deadline;
    bool late;
};

/* One that waits for its disk, a dead server's say, dies when that answers; nobody waits for it till then. */
static void abandon(VolumeMake *m)
{
    siginfo_t info = { 0 };

    (void)process_signal(m->pidfd, SIGKILL);
    if (waitid(P_PIDFD, (id_t)m->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid != 0)
        return;
    if (reap_later(m->pod->supervisor->event, m->pidfd) >= 0)
        m->pidfd = -1;
}

static VolumeMake *volume_make_free(VolumeMake *m)
{
    if (!m)
        return NULL;
    m->end = sd_event_source_disable_unref(m->end);
    m->deadline = sd_event_source_disable_unref(m->deadline);
    if (m->pidfd >= 0)
        abandon(m);
    if (m->disk >= 0)
        (void)file_remove_at(m->directory, m->unfinished);
    safe_close(m->disk);
    safe_close(m->source);
    safe_close(m->messages);
    safe_close(m->pidfd);
    safe_close(m->directory);
    free(m->volume);
    free(m->path);
    free(m->name);
    free(m->unfinished);
    free(m);
    return NULL;
}
DEFINE_CLEANUP(VolumeMake *, volume_make_free)

const char *volume_make_name(const Pod *pod)
{
    return pod->volume_make ? pod->volume_make->volume : NULL;
}

void volume_make_forget(Pod *pod)
{
    pod->volume_make = volume_make_free(pod->volume_make);
    pod->observed.volume_making = false;
    pod->volume_error = (free(pod->volume_error), NULL);
}

/* --- the child: between fork and exec only what is async-signal-safe -------------------------------------------------- */

static int become_child(const VolumeMake *m, pid_t parent)
{
    enum { FREE_FROM = 10 };
    sigset_t none;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    if (getppid() != parent)
        return -ESRCH;
    const struct rlimit size = { .rlim_cur = m->recipe->size_max, .rlim_max = m->recipe->size_max };
    if (setrlimit(RLIMIT_FSIZE, &size) < 0 || (m->source >= 0 && fchdir(m->source) < 0))
        return -errno;
    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int disk = fcntl(m->disk, F_DUPFD, FREE_FROM), messages = fcntl(m->messages, F_DUPFD, FREE_FROM);
    if (null < 0 || disk < 0 || messages < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(messages, STDOUT_FILENO) < 0 || dup2(messages, STDERR_FILENO) < 0 || dup2(disk, KEPT) < 0 ||
        syscall(SYS_close_range, KEPT + 1, ~0U, 0) < 0)
        return -errno;
    return confine_writes(&(const int){ KEPT }, 1);
}

static _Noreturn void run_child(const VolumeMake *m, pid_t parent)
{
    static const char *const environment[] = { "LC_ALL=C", "PATH=/usr/sbin:/sbin:/usr/bin:/bin", NULL };
    static const char *const places[] = { "/usr/sbin", "/sbin", "/usr/bin" };
    char path[64];

    if (become_child(m, parent) < 0)
        _exit(EXIT_FAILURE);
    TABLE_FOREACH (place, places) {
        (void)snprintf(path, sizeof path, "%s/%s", *place, m->recipe->program);
        execve(path, (char *const *)(uintptr_t)m->recipe->arguments, (char *const *)(uintptr_t)environment);
    }
    _exit(STATUS_NOT_FOUND);
}

/* --- its end ---------------------------------------------------------------------------------------------------------- */

/* The last line of what it said; NULL: nothing. */
static char *last_words(const VolumeMake *m)
{
    enum { TAIL = 400 };
    char text[TAIL + 1];
    off_t size = lseek(m->messages, 0, SEEK_END);
    ssize_t n = size > 0 ? pread(m->messages, text, TAIL, size > TAIL ? size - TAIL : 0) : 0;

    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    if (n <= 0)
        return NULL;
    text[n] = 0;
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    return str_escape(line, strlen(line));
}

/* It gets its name: from here on it is there. */
static int finish(const VolumeMake *m)
{
    char source[40];
    int r;

    (void)snprintf(source, sizeof source, "/proc/self/fd/%d", m->disk);
    if (fsync(m->disk) < 0)
        return -errno;
    r = m->recipe->one_start ? renameat(m->directory, m->unfinished, m->directory, m->name)
                             : linkat(AT_FDCWD, source, m->directory, m->name, AT_SYMLINK_FOLLOW);
    if (r < 0)
        return -errno;
    (void)file_remove_at(m->directory, m->unfinished);
    if (fsync(m->directory) < 0)
        return -errno;
    return m->recipe->one_start ? strv_append(&m->pod->copied, m->volume) : 0;
}

/* malloc'ed: why not; NULL: it is made. */
static char *outcome(const VolumeMake *m, const siginfo_t *info)
{
    _cleanup_(freep) char *words = last_words(m);
    const char *program = m->recipe->program;

    if (m->late)
        return strf("%s did not come to an end in time", program);
    if (info->si_code != CLD_EXITED && info->si_status == SIGXFSZ)
        return strdup("it would be larger than 4G");
    if (info->si_code != CLD_EXITED)
        return strf("%s was killed by signal %d", program, info->si_status);
    if (info->si_status == STATUS_NOT_FOUND)
        return strf("%s is not installed; `apt install %s` brings it", program, m->recipe->package);
    if (info->si_status != 0)
        return strf("%s: %s", program, words ?: "it failed, and does not say why");
    int r = finish(m);
    return r < 0 ? strdup(strerror(-r)) : NULL;
}

static char *failure(VolumeType type, const char *volume, const char *path, const char *why)
{
    return type == VOLUME_SHARE
               ? strf("the directory of volume %s could not be copied: %s: %s", volume, path, why)
               : strf("the disk of volume %s could not be made: %s: %s", volume, path, why);
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    VolumeMake *m = userdata;
    Pod *pod = m->pod;
    siginfo_t info = { 0 };

    if (waitid(P_PIDFD, (id_t)m->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return 0;
    m->pidfd = safe_close(m->pidfd);
    _cleanup_(freep) char *why = outcome(m, &info);
    char *error = why ? failure(m->type, m->volume, m->path, why) : NULL;
    if (!why && !m->recipe->one_start)
        pod_log(pod, LOG_NOTICE, 0, "%s: the disk of its volume %s was made: %s", pod->name, m->volume,
                m->path);
    volume_make_forget(pod);
    pod->volume_error = error;
    pod_due(pod);
    return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    VolumeMake *m = userdata;

    m->late = true;
    (void)process_signal(m->pidfd, SIGKILL);
    return 0;
}

/* --- its beginning ------------------------------------------------------------------------------------------------------ */

static int spawn(VolumeMake *m, sd_event *event)
{
    pid_t parent = getpid();

    m->messages = memfd_create("messages", MFD_CLOEXEC);
    if (m->messages < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        run_child(m, parent);
    if (pid < 0)
        return -errno;
    m->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (m->pidfd < 0) {
        int r = -errno;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return r;
    }
    int r = sd_event_add_io(event, &m->end, m->pidfd, EPOLLIN, on_end, m);
    return r < 0 ? r
                 : sd_event_add_time_relative(event, &m->deadline, CLOCK_MONOTONIC, MAKE_TIMEOUT,
                                              USEC_PER_SEC, on_deadline, m);
}

static int make_file(VolumeMake *m, uint64_t size)
{
    /* Of a podvisord that did not come to the end; only one works here. */
    int r = file_remove_at(m->directory, m->unfinished);
    if (r < 0)
        return r;
    m->disk = file_open_at(m->directory, m->unfinished, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (m->disk < 0)
        return m->disk;
    return ftruncate(m->disk, (off_t)(size - size % BLOCK_SIZE)) < 0 ? -errno : 0;
}

/* The directory that is copied. */
static int open_source(VolumeMake *m, const VolumeDefinition *v, char **ret_why)
{
    const Supervisor *s = m->pod->supervisor;
    _cleanup_(freep) char *directory = NULL, *file = NULL;

    int r = source_split(s, SOURCE_VOLUME, v->source, &directory, &file, ret_why);
    _cleanup_(closep) int allowed = r < 0 ? r : dir_reach_at(AT_FDCWD, directory);
    m->source = allowed < 0 ? allowed : dir_open_at(allowed, file);
    return MIN(m->source, 0);
}

/* podvisord's own directory, if it is to be one of those. */
static int make_own(const Supervisor *s, const char *directory)
{
    const char *own = source_own_name(s, directory);

    if (!own)
        return 0;
    int fd = dir_make_at(s->state_dir, own, 0700);
    safe_close(fd);
    return MIN(fd, 0);
}

/* The directory that is to hold it, and its name there. */
static int open_place(VolumeMake *m, const Supervisor *s, const RunDisk *disk)
{
    const char *slash = strrchr(disk->file, '/');
    _cleanup_(freep) char *above = slash ? strndup(disk->file, (size_t)(slash - disk->file)) : strdup(".");

    m->name = strdup(slash ? slash + 1 : disk->file);
    m->unfinished = m->name ? strf(UNFINISHED, m->name) : NULL;
    if (!m->unfinished || !above)
        return -ENOMEM;
    int r = make_own(s, disk->directory);
    if (r < 0)
        return r;
    _cleanup_(closep) int directory = dir_reach_at(AT_FDCWD, disk->directory);
    if (directory < 0)
        return directory;
    m->directory = dir_open_at(directory, above);
    return MIN(m->directory, 0);
}

/* A disk that can never become as full as it says would be a promise. Others may take the room later; then writes fail. */
static int check_room(int directory, uint64_t size, char **ret_why)
{
    struct statvfs fs;

    if (fstatvfs(directory, &fs) < 0)
        return -errno;
    uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (size <= left)
        return 0;
    _cleanup_(freep) char *wanted = size_format(size), *there = size_format(left - left % ROUND);
    *ret_why = strf("it may take %s, and the file system that it lies on has only %s left", wanted ?: "more",
                    there ?: "less");
    return -ENOSPC;
}

static int prepare(VolumeMake *m, const RunDisk *disk, const VolumeDefinition *v, char **ret_why)
{
    if (m->recipe->copies && !v->source)
        return -EINVAL;
    m->volume = strdup(v->name);
    m->path = m->recipe->copies ? strdup(v->source) : run_disk_path(disk);
    int r = m->volume && m->path ? 0 : -ENOMEM;
    if (r >= 0 && m->recipe->copies)
        r = open_source(m, v, ret_why);
    if (r >= 0)
        r = open_place(m, m->pod->supervisor, disk);
    if (r >= 0 && m->recipe->one_start && !m->recipe->copies)
        r = check_room(m->directory, v->size, ret_why);
    return r < 0 ? r : make_file(m, m->recipe->copies ? 0 : v->size);
}

/* 1: it is under way; 0: it is made. */
static int begin(Pod *pod, const RunDisk *disk, const VolumeDefinition *v, char **ret_error)
{
    _cleanup_(volume_make_freep) VolumeMake *m = calloc(1, sizeof *m);
    _cleanup_(freep) char *why = NULL;

    if (!m)
        return -ENOMEM;
    *m = (VolumeMake){ .pod = pod,
                       .type = v->type,
                       .recipe = &recipes[v->type],
                       .source = -1,
                       .directory = -1,
                       .disk = -1,
                       .messages = -1,
                       .pidfd = -1 };
    int r = prepare(m, disk, v, &why);
    if (r >= 0)
        r = m->recipe->program ? spawn(m, pod->supervisor->event) : finish(m);
    if (r < 0) {
        *ret_error = failure(m->type, v->name, m->path ?: "?", why ?: source_error(r, true));
        return r;
    }
    if (!m->recipe->program)
        return 0;
    pod->volume_make = take_ptr(m);
    pod->observed.volume_making = true;
    return 1;
}

static bool is_to_be_made(const Pod *pod, const RunDefinition *d, const RunDisk *disk,
                          const VolumeDefinition *v)
{
    if (volume_is_of_one_start(v))
        return !strv_contains(pod->copied, v->name);
    if (!v->make)
        return false;
    _cleanup_(closep) int fd = volume_open(d, disk);
    return fd == -ENOENT;
}

static int look(Pod *pod, const RunDefinition *d, char **ret_error)
{
    for (size_t i = 0; i < d->n_disks; i++) {
        const VolumeDefinition *v = run_disk_volume(d, &d->disks[i], NULL);
        int r = v && is_to_be_made(pod, d, &d->disks[i], v) ? begin(pod, &d->disks[i], v, ret_error) : 0;
        if (r != 0)
            return r;
    }
    return 0;
}

int volume_make_look(Pod *pod, char **ret_error)
{
    RunDefinition d = { 0 };

    if (pod->volume_make)
        return 1;
    if (pod->volume_error) {
        *ret_error = take_ptr(pod->volume_error);
        return -EIO;
    }
    if (pod->definition.backend == BACKEND_NULL)
        return 0;
    /* Borrowed, all but the disks. */
    d.name = pod->name;
    d.pod = pod->definition;
    int r = volumes_resolve(pod->supervisor, &d, ret_error);
    if (r >= 0)
        r = look(pod, &d, ret_error);
    d.name = NULL;
    d.pod = (PodDefinition){ 0 };
    schema_done(&run_definition_schema, &d);
    return r;
}
