/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <linux/magic.h>
#include <search.h>
#include <sys/vfs.h>

#include "archive/open.h"
#include "archive/pack.h"
#include "archive/tar-writer.h"
#include "archive/xattrs.h"
#include "base/file.h"
#include "base/strings.h"

enum { CHUNK = 64 * 1024 };

/* A file with several names, under the first of them. */
typedef struct Known {
    dev_t dev;
    ino_t ino;
    char *name;
} Known;

typedef struct Pack {
    const PackJob *job;
    Trouble *t;
    Bytes out;   /* not written yet */
    Bytes name;  /* of the present node, in the archive; terminated */
    void *known; /* tsearch(3) of Known */
    size_t n_known, n_notes;
    TreeCount done;
} Pack;

static const char *name_of(const Pack *p)
{
    return (const char *)p->name.data;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static int flush(Pack *p)
{
    int r = write_all(p->job->out, p->out.data, p->out.size);

    p->out.size = 0;
    return r < 0 ? trouble_set(p->t, r, "the archive cannot be written") : 0;
}

static int flush_if_full(Pack *p)
{
    return p->out.size >= CHUNK ? flush(p) : 0;
}

static int put_head(Pack *p, const TarEntry *e)
{
    int r = tar_write_head(&p->out, e);

    if (r == -E2BIG)
        return trouble_say(p->t, r, "%s has too many extended attributes", name_of(p));
    if (r < 0)
        return trouble_set(p->t, r, "%s", name_of(p));
    p->done.entries++;
    return flush_if_full(p);
}

static int put_padding(Pack *p, uint64_t size)
{
    static const uint8_t zeros[TAR_BLOCK];

    if (bytes_append(&p->out, zeros, (size_t)tar_padding(size)) < 0)
        return trouble_set(p->t, -ENOMEM, "%s", name_of(p));
    return flush_if_full(p);
}

static int put_extent(Pack *p, int fd, const TarExtent *x)
{
    for (uint64_t done = 0; done < x->size;) {
        size_t size = (size_t)MIN(x->size - done, (uint64_t)CHUNK);
        uint8_t *at = bytes_reserve(&p->out, size);
        ssize_t n = at ? pread(fd, at, size, (off_t)(x->offset + done)) : -1;
        if (n < 0 && at && errno == EINTR)
            continue;
        if (n < 0)
            return trouble_set(p->t, at ? -errno : -ENOMEM, "%s", name_of(p));
        if (n == 0)
            return trouble_say(p->t, -EIO, "%s became shorter while it was read", name_of(p));
        p->out.size += (size_t)n;
        p->done.bytes += (uint64_t)n;
        done += (uint64_t)n;
        int r = flush_if_full(p);
        if (r < 0)
            return r;
    }
    return 0;
}

static void note(Pack *p, const char *why)
{
    _cleanup_(freep) char *text = strf("%s is %s, and was not copied", name_of(p), why);

    if (p->job->note && text && p->n_notes < PACK_NOTES_MAX)
        p->job->note(p->job->userdata, text);
    p->n_notes++;
}

/* --- files with several names --------------------------------------------------------------------------------------- */

static int known_compare(const void *a, const void *b)
{
    const Known *x = a, *y = b;

    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void known_free(void *known)
{
    free(((Known *)known)->name);
    free(known);
}

/* The name under which the file has been sent already; NULL: it is new. Where there are too many, it is sent again. */
static const char *known_name(Pack *p, const struct stat *st)
{
    Known key = { .dev = st->st_dev, .ino = st->st_ino };

    if (st->st_nlink < 2)
        return NULL;
    Known *const *found = tfind(&key, &p->known, known_compare);
    if (found)
        return (*found)->name;
    if (p->n_known >= PACK_LINKS_MAX)
        return NULL;
    Known *known = malloc(sizeof *known);
    if (!known)
        return NULL;
    *known = (Known){ .dev = st->st_dev, .ino = st->st_ino, .name = strdup(name_of(p)) };
    if (!known->name || !tsearch(known, &p->known, known_compare))
        known_free(known);
    else
        p->n_known++;
    return NULL;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static TarEntry entry_of(Pack *p, const struct stat *st, TarType type)
{
    return (TarEntry){
        .type = type,
        .name = (char *)p->name.data,
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .seconds = st->st_mtim.tv_sec,
        .nanoseconds = (uint32_t)st->st_mtim.tv_nsec,
        .size = type == TAR_FILE ? (uint64_t)st->st_size : 0,
    };
}

/* The name belongs to the Pack. */
static void entry_done(TarEntry *e)
{
    e->name = NULL;
    tar_entry_done(e);
}

static int add_extent(TarEntry *e, uint64_t offset, uint64_t size)
{
    enum { STEP = 64 };

    if (e->n_extents % STEP == 0) {
        TarExtent *extents = reallocarray(e->extents, e->n_extents + STEP, sizeof *extents);
        if (!extents)
            return -ENOMEM;
        e->extents = extents;
    }
    e->extents[e->n_extents++] = (TarExtent){ offset, size };
    return 0;
}

/* Where its data is. A file system that cannot tell says that all is data. */
static int find_extents(int fd, TarEntry *e)
{
    off_t size = (off_t)e->size, hole = 0;

    e->sparse = true;
    while (hole < size) {
        off_t data = lseek(fd, hole, SEEK_DATA);
        if (data < 0 && errno != ENXIO)
            return -errno;
        if (data < 0 || data >= size)
            break;
        bool last = e->n_extents >= TAR_EXTENTS_MAX - 2;
        hole = last ? size : lseek(fd, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        hole = MIN(hole, size);
        int r = hole > data ? add_extent(e, (uint64_t)data, (uint64_t)(hole - data)) : 0;
        if (r < 0)
            return r;
    }
    /* Other programs learn from an empty piece at the end that the file goes on to there. */
    const TarExtent *x = e->n_extents > 0 ? &e->extents[e->n_extents - 1] : NULL;
    return x && x->offset + x->size == e->size ? 0 : add_extent(e, e->size, 0);
}

static int put_file(Pack *p, int fd, TarEntry *e)
{
    const TarExtent whole = { .size = e->size };
    int r = put_head(p, e);

    for (size_t i = 0; r >= 0 && e->sparse && i < e->n_extents; i++)
        r = put_extent(p, fd, &e->extents[i]);
    if (r >= 0 && !e->sparse)
        r = put_extent(p, fd, &whole);
    return r < 0 ? r : put_padding(p, tar_entry_content(e));
}

static int pack_file(Pack *p, int parent, const char *name, const struct stat *seen)
{
    const char *first = known_name(p, seen);
    struct stat st;
    int r = 0;

    if (first) {
        TarEntry link = entry_of(p, seen, TAR_HARD_LINK);
        link.link = (char *)(uintptr_t)first;
        return put_head(p, &link);
    }
    _cleanup_(closep) int fd =
        openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return trouble_set(p->t, -errno, "%s", name_of(p));
    if (!S_ISREG(st.st_mode))
        return trouble_say(p->t, -EAGAIN, "%s changed while it was read", name_of(p));
    _cleanup_(entry_done) TarEntry e = entry_of(p, &st, TAR_FILE);
    if ((uint64_t)st.st_blocks * TAR_BLOCK < e.size)
        r = find_extents(fd, &e);
    if (r >= 0)
        r = xattrs_read(fd, &e);
    return r < 0 ? trouble_set(p->t, r, "%s", name_of(p)) : put_file(p, fd, &e);
}

static int pack_symlink(Pack *p, int parent, const char *name, const struct stat *st)
{
    char target[TAR_NAME_MAX];
    TarEntry e = entry_of(p, st, TAR_SYMLINK);

    ssize_t n = readlinkat(parent, name, target, sizeof target);
    if (n < 0 || (size_t)n >= sizeof target)
        return trouble_set(p->t, n < 0 ? -errno : -ENAMETOOLONG, "%s", name_of(p));
    target[n] = 0;
    e.link = target;
    return put_head(p, &e);
}

static int pack_fifo(Pack *p, int parent, const char *name, const struct stat *st)
{
    TarEntry e = entry_of(p, st, TAR_FIFO);
    return put_head(p, &e);
}

static int pack_directory(Pack *p, int parent, const char *name, const struct stat *st);

typedef int (*NodePacker)(Pack *p, int parent, const char *name, const struct stat *st);

static const struct {
    mode_t format;
    NodePacker pack; /* NULL: it is not copied */
    const char *what;
} nodes[] = {
    { S_IFREG, pack_file, "a file" },    { S_IFDIR, pack_directory, "a directory" },
    { S_IFLNK, pack_symlink, "a link" }, { S_IFIFO, pack_fifo, "a FIFO" },
    { S_IFSOCK, NULL, "a socket" },      { S_IFCHR, NULL, "a device" },
    { S_IFBLK, NULL, "a device" },
};

/* top: what was asked for. */
static int pack_node(Pack *p, int parent, const char *name, bool top)
{
    struct stat st;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        /* Gone since it was listed. */
        if (errno == ENOENT && !top)
            return 0;
        return trouble_set(p->t, -errno, "%s", top ? p->job->path : name_of(p));
    }
    TABLE_FOREACH (node, nodes) {
        if (node->format != (st.st_mode & S_IFMT))
            continue;
        if (node->pack)
            return node->pack(p, parent, name, &st);
        if (top)
            return trouble_say(p->t, -EOPNOTSUPP, "%s is %s, which cannot be copied", p->job->path,
                               node->what);
        note(p, node->what);
        return 0;
    }
    return 0;
}

/* --- directories ---------------------------------------------------------------------------------------------------- */

/* What these show is made up by the kernel when it is read; as files it is without size, and without end. */
static bool is_of_kernel(int fd)
{
    static const unsigned long kernels[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
        DEBUGFS_MAGIC,    TRACEFS_MAGIC, SECURITYFS_MAGIC,   BPF_FS_MAGIC,        0x19800202 /* mqueue */,
    };
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    TABLE_FOREACH (magic, kernels)
        if ((unsigned long)fs.f_type == *magic)
            return true;
    return false;
}

/* Puts a name behind the present one; *ret_size brings it back. */
static int name_enter(Pack *p, const char *name, size_t *ret_size)
{
    *ret_size = p->name.size;
    if (p->name.size + strlen(name) + 2 >= TAR_NAME_MAX)
        return trouble_set(p->t, -ENAMETOOLONG, "%s%s", name_of(p), name);
    if (bytes_append(&p->name, name, strlen(name)) < 0 || bytes_terminate(&p->name) < 0)
        return trouble_set(p->t, -ENOMEM, "%s", name_of(p));
    return 0;
}

static void name_leave(Pack *p, size_t size)
{
    p->name.size = size;
    p->name.data[size] = 0;
}

static int depth_of(const Pack *p)
{
    int depth = 0;

    for (const char *c = name_of(p); *c; c++)
        depth += *c == '/';
    return depth;
}

/* Takes fd. */
static int pack_list(Pack *p, int fd)
{
    _cleanup_(closedirp) DIR *dir = fdopendir(fd);
    const struct dirent *d;
    int r = 0;

    if (!dir) {
        safe_close(fd);
        return trouble_set(p->t, -errno, "%s", name_of(p));
    }
    while (r >= 0 && (errno = 0, d = readdir(dir))) {
        size_t size;
        if (streq(d->d_name, ".") || streq(d->d_name, ".."))
            continue;
        if ((r = name_enter(p, d->d_name, &size)) >= 0 &&
            (r = pack_node(p, dirfd(dir), d->d_name, false)) >= 0)
            name_leave(p, size);
    }
    return r >= 0 && errno != 0 ? trouble_set(p->t, -errno, "%s", name_of(p)) : r;
}

/* Takes fd. The name ends with a "/". */
static int pack_open_directory(Pack *p, int fd)
{
    _cleanup_(closep) int owned = fd;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return trouble_set(p->t, -errno, "%s", name_of(p));
    _cleanup_(entry_done) TarEntry e = entry_of(p, &st, TAR_DIRECTORY);
    int r = xattrs_read(fd, &e);
    if (r < 0)
        return trouble_set(p->t, r, "%s", name_of(p));
    if ((r = put_head(p, &e)) < 0)
        return r;
    if (is_of_kernel(fd)) {
        note(p, "a file system of the kernel");
        return 0;
    }
    if (depth_of(p) > PACK_DEPTH_MAX)
        return trouble_say(p->t, -ELOOP, "%s lies more than %d directories deep", name_of(p), PACK_DEPTH_MAX);
    return pack_list(p, take_fd(&owned));
}

static int pack_directory(Pack *p, int parent, const char *name, const struct stat *st)
{
    size_t size;

    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return trouble_set(p->t, -errno, "%s", name_of(p));
    int r = name_enter(p, "/", &size);
    if (r < 0)
        safe_close(fd);
    else
        r = pack_open_directory(p, fd);
    if (r >= 0)
        name_leave(p, size);
    return r;
}

/* --- what was asked for --------------------------------------------------------------------------------------------- */

/* A directory whose link is followed: what is in it, or all of it under its name. */
static int pack_contents(Pack *p, const TreePath *path)
{
    size_t size;
    int fd = tree_open(p->job->path, O_RDONLY | O_DIRECTORY, p->job->resolve);

    if (fd < 0)
        return trouble_set(p->t, fd, "%s", p->job->path);
    if (is_of_kernel(fd)) {
        safe_close(fd);
        return trouble_say(p->t, -EOPNOTSUPP, "%s is a file system of the kernel, which cannot be copied",
                           p->job->path);
    }
    int r = name_enter(p, path->contents ? "./" : path->name, &size);
    if (r >= 0 && !path->contents)
        r = name_enter(p, "/", &size);
    if (r < 0)
        safe_close(fd);
    return r < 0 ? r : pack_open_directory(p, fd);
}

static int pack_named(Pack *p, const TreePath *path)
{
    size_t size;
    _cleanup_(closep) int parent = tree_open(path->parent, O_PATH | O_DIRECTORY, p->job->resolve);

    if (parent < 0)
        return trouble_set(p->t, parent, "%s", p->job->path);
    if (is_of_kernel(parent))
        return trouble_say(
            p->t, -EOPNOTSUPP,
            "%s belongs to a file system of the kernel, where files have no size; it can be read by "
            "a program",
            p->job->path);
    int r = name_enter(p, path->name, &size);
    return r < 0 ? r : pack_node(p, parent, path->name, true);
}

static int pack_all(Pack *p)
{
    _cleanup_(tree_path_done) TreePath path = { 0 };

    int r = bytes_terminate(&p->name);
    if (r >= 0)
        r = tree_path_parse(p->job->path, &path);
    if (r < 0)
        return trouble_set(p->t, r, "%s", p->job->path);
    r = path.contents || path.directory ? pack_contents(p, &path) : pack_named(p, &path);
    if (r >= 0 && tar_write_end(&p->out) < 0)
        r = trouble_set(p->t, -ENOMEM, "the archive cannot be written");
    return r < 0 ? r : flush(p);
}

int tree_pack(const PackJob *job, TreeCount *ret_done, Trouble *t)
{
    Pack p = { .job = job, .t = t };

    int r = pack_all(&p);
    if (p.n_notes > PACK_NOTES_MAX && job->note) {
        _cleanup_(freep) char *text = strf("%zu more were not copied", p.n_notes - PACK_NOTES_MAX);
        if (text)
            job->note(job->userdata, text);
    }
    *ret_done = p.done;
    bytes_done(&p.out);
    bytes_done(&p.name);
    tdestroy(p.known, known_free);
    return r;
}
