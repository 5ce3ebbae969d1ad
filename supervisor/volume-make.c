/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/process.h"
#include "base/strings.h"
#include "supervisor/sources.h"
#include "supervisor/volume-make.h"
#include "supervisor/volumes.h"

#define MAKE_TIMEOUT (2 * USEC_PER_MINUTE)

enum {
    KEPT = 3, /* the child's descriptor of the disk */
    BLOCK_SIZE = 4096,
    STATUS_NOT_FOUND = 127,
};

/* Whole by the file that it is linked from, so that it is told by what it is called that it is not. */
#define UNFINISHED ".%s.unfinished"

struct VolumeMake {
    Pod *pod;
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

static VolumeMake *volume_make_free(VolumeMake *m)
{
    if (!m)
        return NULL;
    m->end = sd_event_source_disable_unref(m->end);
    m->deadline = sd_event_source_disable_unref(m->deadline);
    if (m->pidfd >= 0) {
        (void)process_signal(m->pidfd, SIGKILL);
        (void)waitid(P_PIDFD, (id_t)m->pidfd, &(siginfo_t){ 0 }, WEXITED);
    }
    if (m->disk >= 0)
        (void)file_remove_at(m->directory, m->unfinished);
    safe_close(m->disk);
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
    /* No blocks for root alone: who fills the disk is root in the guest, most of the time. The new file is zeros, so that nothing
     * of it must be zeroed again. */
    static const char *const arguments[] = {
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-m",
        "0",
        "-E",
        "root_owner=0:0,nodiscard,lazy_itable_init=1,lazy_journal_init=1",
        "/proc/self/fd/3",
        NULL
    };
    static const char *const environment[] = { "LC_ALL=C", "PATH=/usr/sbin:/sbin:/usr/bin:/bin", NULL };
    static const char *const places[] = { "/usr/sbin/mke2fs", "/sbin/mke2fs", "/usr/bin/mke2fs" };

    if (become_child(m, parent) < 0)
        _exit(EXIT_FAILURE);
    TABLE_FOREACH (place, places)
        execve(*place, (char *const *)(uintptr_t)arguments, (char *const *)(uintptr_t)environment);
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

    (void)snprintf(source, sizeof source, "/proc/self/fd/%d", m->disk);
    if (fsync(m->disk) < 0 || linkat(AT_FDCWD, source, m->directory, m->name, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    (void)file_remove_at(m->directory, m->unfinished);
    return fsync(m->directory) < 0 ? -errno : 0;
}

/* malloc'ed: why not; NULL: it is made. */
static char *outcome(const VolumeMake *m, const siginfo_t *info)
{
    _cleanup_(freep) char *words = last_words(m);

    if (m->late)
        return strdup("mke2fs did not come to an end in time");
    if (info->si_code != CLD_EXITED)
        return strf("mke2fs was killed by signal %d", info->si_status);
    if (info->si_status == STATUS_NOT_FOUND)
        return strdup("mke2fs is not installed; `apt install e2fsprogs` brings it");
    if (info->si_status != 0)
        return strf("mke2fs: %s", words ?: "it failed, and does not say why");
    int r = finish(m);
    return r < 0 ? strdup(strerror(-r)) : NULL;
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
    char *error =
        why ? strf("the disk of volume %s could not be made: %s: %s", m->volume, m->path, why) : NULL;
    if (!why)
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

    m->messages = memfd_create("mke2fs", MFD_CLOEXEC);
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

/* The directory that is to hold it, and its name there. */
static int open_place(VolumeMake *m, const Supervisor *s, const RunDisk *disk)
{
    const char *slash = strrchr(disk->file, '/');
    _cleanup_(freep) char *own = source_own_volumes(s);
    _cleanup_(freep) char *above = slash ? strndup(disk->file, (size_t)(slash - disk->file)) : strdup(".");

    m->name = strdup(slash ? slash + 1 : disk->file);
    m->unfinished = m->name ? strf(UNFINISHED, m->name) : NULL;
    if (!m->unfinished || !own || !above)
        return -ENOMEM;
    if (streq(own, disk->directory)) {
        int made = dir_make_at(s->state_dir, PATHS_VOLUMES, 0700);
        if (made < 0)
            return made;
        safe_close(made);
    }
    _cleanup_(closep) int directory = dir_reach_at(AT_FDCWD, disk->directory);
    if (directory < 0)
        return directory;
    m->directory = dir_open_at(directory, above);
    return MIN(m->directory, 0);
}

static int begin(Pod *pod, const RunDisk *disk, const VolumeDefinition *v, char **ret_error)
{
    _cleanup_(volume_make_freep) VolumeMake *m = calloc(1, sizeof *m);

    if (!m)
        return -ENOMEM;
    *m = (VolumeMake){ .pod = pod, .directory = -1, .disk = -1, .messages = -1, .pidfd = -1 };
    m->volume = strdup(v->name);
    m->path = run_disk_path(disk);
    int r = m->volume && m->path ? open_place(m, pod->supervisor, disk) : -ENOMEM;
    if (r >= 0)
        r = make_file(m, v->size);
    if (r >= 0)
        r = spawn(m, pod->supervisor->event);
    if (r < 0) {
        *ret_error = strf("the disk of volume %s could not be made: %s: %s", v->name, m->path ?: "?",
                          source_error(r, true));
        return r;
    }
    pod->volume_make = take_ptr(m);
    pod->observed.volume_making = true;
    return 1;
}

static int look(Pod *pod, const RunDefinition *d, char **ret_error)
{
    for (size_t i = 0; i < d->n_disks; i++) {
        const VolumeDefinition *v = run_disk_volume(d, &d->disks[i], NULL);
        if (!v || !v->make)
            continue;
        _cleanup_(closep) int fd = volume_open(d, &d->disks[i]);
        if (fd == -ENOENT)
            return begin(pod, &d->disks[i], v, ret_error);
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
