/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "archive/open.h"
#include "archive/tar-reader.h"
#include "archive/unpack.h"
#include "archive/unpack-directories.h"
#include "archive/xattrs.h"
#include "base/strings.h"

typedef struct Unpack {
    const UnpackJob *job;
    Trouble *t;
    TarReader *reader;
    int base;               /* the directory that all is made in */
    char *rename;           /* what the archive's tree is to be called; NULL: as it is */
    bool must_be_directory; /* a "/" stands behind that name */
    char *first;            /* with rename: the first part of all names; "" for none */
    size_t n_notes;
    bool attributes_noted;
    Directories directories;
    TreeCount done;
} Unpack;

static void note(Unpack *u, const char *name, const char *why)
{
    _cleanup_(freep) char *text = strf("%s %s", name, why);

    if (u->job->note && text && u->n_notes < UNPACK_NOTES_MAX)
        u->job->note(u->job->userdata, text);
    u->n_notes++;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

/* Without "." and doubled "/"; "" for the archive's own top. Refuses what leads elsewhere. */
static int clean_name(Unpack *u, const char *name, char **ret)
{
    _cleanup_(freep) char *clean = calloc(strlen(name) + 1, 1);
    int depth = 0;

    if (!clean)
        return trouble_set(u->t, -ENOMEM, "%s", name);
    if (*name == '/')
        return trouble_say(u->t, -EBADMSG, "the archive has %s, which is no name in a directory", name);
    char *to = clean;
    for (const char *p = name; *p; p += strspn(p, "/")) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return trouble_say(u->t, -EBADMSG, "the archive has %s, which leads elsewhere", name);
        if (n != 1 || *p != '.') {
            if (++depth > UNPACK_DEPTH_MAX)
                return trouble_say(u->t, -EBADMSG, "the archive is more than %d directories deep",
                                   UNPACK_DEPTH_MAX);
            *to = '/';
            to += to > clean;
            memcpy(to, p, n);
            to += n;
        }
        p += n;
    }
    *to = 0;
    *ret = take_ptr(clean);
    return 0;
}

/* Whether the first part of a clean name is this one. */
static bool begins_with_part(const char *clean, const char *part)
{
    size_t n = strcspn(clean, "/");

    return strlen(part) == n && memcmp(part, clean, n) == 0;
}

/* The name on disk, below `base`, of a name of the archive. */
static int place_of(Unpack *u, const char *name, char **ret)
{
    _cleanup_(freep) char *clean = NULL;

    int r = clean_name(u, name, &clean);
    if (r < 0)
        return r;
    assert(clean);
    if (u->job->tree && !begins_with_part(clean, u->job->tree))
        return trouble_say(u->t, -EACCES, "the archive has %s, and %s was asked for", name, u->job->tree);
    if (!u->rename) {
        *ret = take_ptr(clean);
        return 0;
    }
    size_t n = strcspn(clean, "/");
    if (!u->first && !(u->first = strndup(clean, n)))
        return trouble_set(u->t, -ENOMEM, "%s", name);
    const char *rest = clean;
    if (*u->first) {
        if (!begins_with_part(clean, u->first))
            return trouble_say(u->t, -EEXIST,
                               "%s is not there, and the archive has more than one tree: %s and %s",
                               u->job->path, u->first, clean);
        rest = clean + n + (clean[n] == '/');
    }
    *ret = strf("%s%s%s", u->rename, *rest ? "/" : "", rest);
    return *ret ? 0 : trouble_set(u->t, -ENOMEM, "%s", name);
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

/* A node to be made. */
typedef struct Node {
    const TarEntry *e;
    const char *place; /* below base */
    int parent;
    const char *name; /* in it */
} Node;

static int fail(Unpack *u, const Node *n, int error)
{
    return trouble_set(u->t, error, "%s", n->place);
}

static mode_t mode_of(const Unpack *u, const TarEntry *e)
{
    return u->job->power ? e->mode : e->mode & 01777;
}

/* The old one goes first: it may be a link, or have another name somewhere else. */
static int make_room(Unpack *u, const Node *n)
{
    if (unlinkat(n->parent, n->name, 0) >= 0 || errno == ENOENT)
        return 0;
    int error = -errno;
    struct stat st;
    if (fstatat(n->parent, n->name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISDIR(st.st_mode))
        return trouble_say(u->t, -EISDIR, "%s is a directory, and not overwritten by what is none", n->place);
    return fail(u, n, error);
}

static void note_attributes(Unpack *u, const Node *n)
{
    if (!u->attributes_noted)
        note(u, n->place, "and others have extended attributes, which cannot be kept there");
    u->attributes_noted = true;
}

/* Owner before mode, since a change of owner takes power away; times last. */
static int set_file(Unpack *u, const Node *n, int fd)
{
    const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
                                      { .tv_sec = n->e->seconds, .tv_nsec = (long)n->e->nanoseconds } };

    if ((u->job->owners && fchown(fd, n->e->uid, n->e->gid) < 0) || fchmod(fd, mode_of(u, n->e)) < 0)
        return fail(u, n, -errno);
    int r = xattrs_write(fd, n->e, u->job->power);
    if (r == -EOPNOTSUPP)
        note_attributes(u, n);
    else if (r < 0)
        return fail(u, n, r);
    return futimens(fd, times) < 0 ? fail(u, n, -errno) : 0;
}

/* Of what cannot be opened. */
static int set_node(Unpack *u, const Node *n)
{
    const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
                                      { .tv_sec = n->e->seconds, .tv_nsec = (long)n->e->nanoseconds } };

    if ((u->job->owners && fchownat(n->parent, n->name, n->e->uid, n->e->gid, AT_SYMLINK_NOFOLLOW) < 0) ||
        utimensat(n->parent, n->name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(u, n, -errno);
    return 0;
}

static int write_at(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int write_content(Unpack *u, const Node *n, int fd)
{
    const uint8_t *data = NULL;
    uint64_t offset = 0;
    ssize_t size;

    while ((size = tar_reader_data(u->reader, &data, &offset, u->t)) > 0) {
        int r = write_at(fd, data, (size_t)size, offset);
        if (r < 0)
            return fail(u, n, r);
        u->done.bytes += (uint64_t)size;
    }
    if (size < 0)
        return (int)size;
    return n->e->sparse && ftruncate(fd, (off_t)n->e->size) < 0 ? fail(u, n, -errno) : 0;
}

static int make_file(Unpack *u, const Node *n)
{
    int r = make_room(u, n);
    if (r < 0)
        return r;
    _cleanup_(closep) int fd =
        openat(n->parent, n->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(u, n, -errno);
    r = write_content(u, n, fd);
    if (r >= 0)
        r = set_file(u, n, fd);
    /* A part of it would look like the whole. */
    if (r < 0)
        (void)unlinkat(n->parent, n->name, 0);
    return r;
}

static int make_symlink(Unpack *u, const Node *n)
{
    int r = make_room(u, n);
    if (r < 0)
        return r;
    return symlinkat(n->e->link, n->parent, n->name) < 0 ? fail(u, n, -errno) : set_node(u, n);
}

static int make_fifo(Unpack *u, const Node *n)
{
    int r = make_room(u, n);
    if (r < 0)
        return r;
    /* Whoever opens one waits, so its mode has to be right from the beginning. */
    mode_t mask = umask(0);
    r = mkfifoat(n->parent, n->name, mode_of(u, n->e) & 0777) < 0 ? -errno : 0;
    (void)umask(mask);
    return r < 0 ? fail(u, n, r) : set_node(u, n);
}

/* To a file that lies in the destination as well, reached in the same way. */
static int make_hard_link(Unpack *u, const Node *n)
{
    _cleanup_(freep) char *place = NULL;

    int r = place_of(u, n->e->link, &place);
    if (r < 0)
        return r;
    assert(place);
    /* A link to itself would first remove what it leads to. */
    if (streq(place, n->place))
        return 0;
    char *slash = strrchr(place, '/');
    if (slash)
        *slash = 0;
    _cleanup_(closep) int dir = tree_open_beneath(u->base, slash ? place : ".", O_PATH | O_DIRECTORY);
    const char *name = slash ? slash + 1 : place;
    struct stat st;
    if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return trouble_set(u->t, dir < 0 ? dir : -errno, "%s is a link to %s", n->place, n->e->link);
    if ((r = make_room(u, n)) < 0)
        return r;
    return linkat(dir, name, n->parent, n->name, 0) < 0
               ? trouble_set(u->t, -errno, "%s is a link to %s", n->place, n->e->link)
               : 0;
}

static int make_directory(Unpack *u, const Node *n)
{
    if (mkdirat(n->parent, n->name, 0700) < 0 && errno != EEXIST)
        return fail(u, n, -errno);
    _cleanup_(closep) int fd = openat(n->parent, n->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return trouble_say(u->t, -ENOTDIR, "%s is there, and is no directory", n->place);
    int r = fd < 0 ? -errno : directories_enter(&u->directories, n->place, n->e, take_fd(&fd));
    return r < 0 ? fail(u, n, r) : 0;
}

static int pass_over(Unpack *u, const Node *n)
{
    note(u, n->place, "is a device or something unknown, and was not copied");
    u->done.entries--;
    return 0;
}

typedef int (*NodeMaker)(Unpack *u, const Node *n);

static const NodeMaker makers[TAR_TYPE_MAX] = {
    [TAR_FILE] = make_file,           [TAR_HARD_LINK] = make_hard_link, [TAR_SYMLINK] = make_symlink,
    [TAR_DIRECTORY] = make_directory, [TAR_FIFO] = make_fifo,           [TAR_OTHER] = pass_over,
};

/* --- directories ---------------------------------------------------------------------------------------------------- */

/* All of a directory is written. */
static int settle_directory(void *userdata, const Directory *d)
{
    Unpack *u = userdata;
    Node n = { .e = &d->entry, .place = d->place };

    return set_file(u, &n, d->fd);
}

/* One level, by its own descriptor, so that nobody can put a link in its way; made when it is not there. */
static int reach_level(int dir, const char *name)
{
    if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    return tree_open_beneath(dir, name, O_PATH | O_DIRECTORY);
}

/* A directory that the archive has not said anything of, or is done with. */
static int reach(Unpack *u, const char *place, int *ret)
{
    _cleanup_(freep) char *path = strdup(place);
    _cleanup_(closep) int fd = path ? tree_open_beneath(u->base, path, O_PATH | O_DIRECTORY) : -ENOMEM;

    if (fd == -ENOENT) {
        char *rest = path;
        fd = tree_open_beneath(u->base, ".", O_PATH | O_DIRECTORY);
        for (char *name; fd >= 0 && (name = strsep(&rest, "/"));) {
            int level = reach_level(fd, name);
            safe_close(fd);
            fd = level;
        }
    }
    if (fd == -ELOOP || fd == -ENOTDIR)
        return trouble_say(u->t, fd, "%s is, or lies beneath, a link or something else that is no directory",
                           place);
    if (fd < 0)
        return trouble_set(u->t, fd, "%s", place);
    *ret = take_fd(&fd);
    return 0;
}

/* --- entries -------------------------------------------------------------------------------------------------------- */

static int make_node(Unpack *u, const TarEntry *e, char *place)
{
    _cleanup_(closep) int reached = -1;
    char *slash = strrchr(place, '/');
    Node n = { .e = e, .place = place, .parent = u->base, .name = slash ? slash + 1 : place };

    if (slash) {
        *slash = 0;
        n.parent = directories_find(&u->directories, place);
        int r = n.parent < 0 ? reach(u, place, &reached) : 0;
        *slash = '/';
        if (r < 0)
            return r;
        n.parent = n.parent < 0 ? reached : n.parent;
    }
    return makers[e->type](u, &n);
}

static int take_entry(Unpack *u, const TarEntry *e)
{
    _cleanup_(freep) char *place = NULL;

    int r = place_of(u, e->name, &place);
    if (r < 0)
        return r;
    assert(place);
    if (u->must_be_directory && e->type != TAR_DIRECTORY && !strchr(place, '/'))
        return trouble_set(u->t, -ENOTDIR, "%s", u->job->path);
    if ((r = directories_leave(&u->directories, place, settle_directory, u)) < 0)
        return r;
    u->done.entries++;
    /* The destination itself, which was there before: it stays as it is. */
    if (*place == 0)
        return 0;
    return make_node(u, e, place);
}

static int take_entries(Unpack *u)
{
    const TarEntry *e = NULL;
    int r;

    while ((r = tar_reader_next(u->reader, &e, u->t)) > 0)
        if ((r = take_entry(u, e)) < 0)
            return r;
    if (r < 0)
        return r;
    if (u->done.entries == 0)
        return trouble_say(u->t, -EBADMSG, "the archive is empty");
    return directories_leave(&u->directories, NULL, settle_directory, u);
}

/* --- the destination -------------------------------------------------------------------------------------------------- */

static int open_parent(Unpack *u)
{
    _cleanup_(tree_path_done) TreePath path = { 0 };
    const UnpackJob *job = u->job;

    int r = tree_path_parse(job->path, &path);
    if (r < 0)
        return trouble_set(u->t, r, "%s", job->path);
    /* "." of a directory that is not there. */
    if (path.contents)
        return trouble_set(u->t, -ENOENT, "%s", job->path);
    u->base = tree_open(path.parent, O_PATH | O_DIRECTORY, job->resolve);
    if (u->base < 0)
        return trouble_set(u->t, u->base, "%s, in which %s is to be made", path.parent, path.name);
    u->must_be_directory = path.directory;
    u->rename = take_ptr(path.name);
    return 0;
}

static int open_destination(Unpack *u)
{
    const UnpackJob *job = u->job;

    u->base = tree_open(job->path, O_PATH | O_DIRECTORY, job->resolve);
    int r = u->base < 0 ? u->base : 0;
    if ((r == -ENOENT || r == -ENOTDIR) && !job->directory)
        r = open_parent(u);
    else if (r < 0)
        return trouble_set(u->t, r, "%s", job->path);
    if (r >= 0 && job->begin && (r = job->begin(u->base)) < 0)
        return trouble_set(u->t, r, "%s", job->path);
    return r;
}

static ssize_t read_in(void *userdata, void *buffer, size_t size)
{
    const Unpack *u = userdata;
    ssize_t n;

    do
        n = read(u->job->in, buffer, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* What stands behind the archive's end: whoever wrote it is not to find a closed pipe. */
static void drain(Unpack *u)
{
    uint8_t buffer[4096];

    while (read_in(u, buffer, sizeof buffer) > 0)
        continue;
}

int tree_unpack(const UnpackJob *job, TreeCount *ret_done, Trouble *t)
{
    Unpack u = { .job = job, .t = t, .base = -1 };

    int r = tar_reader_new(&u.reader, read_in, &u);
    if (r < 0)
        return trouble_set(t, r, "%s", job->path);
    r = open_destination(&u);
    if (r >= 0 && (r = take_entries(&u)) >= 0)
        drain(&u);
    if (u.n_notes > UNPACK_NOTES_MAX && job->note)
        job->note(job->userdata, "and others, too");
    *ret_done = u.done;
    directories_done(&u.directories);
    tar_reader_free(u.reader);
    safe_close(u.base);
    free(u.rename);
    free(u.first);
    return r;
}
