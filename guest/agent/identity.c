/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/beneath.h"
#include "guest/agent/identity.h"

enum { FILE_MAX = 1024 * 1024, FIELDS_MAX = 7 };

/* One line of the files, cut at its colons. */
typedef struct Entry {
    char line[4096];
    const char *fields[FIELDS_MAX];
} Entry;

/* The line at *p, and *p behind it; false at the end. Lines that are too long for any honest entry are passed over. */
static bool entry_next(const char **p, Entry *e)
{
    while (**p) {
        size_t n = strcspn(*p, "\n");
        const char *line = *p;
        *p += n + (line[n] == '\n');
        if (n >= sizeof e->line)
            continue;
        memcpy(e->line, line, n);
        e->line[n] = 0;
        char *rest = e->line;
        for (size_t i = 0; i < FIELDS_MAX; i++)
            e->fields[i] = strsep(&rest, ":") ?: "";
        return true;
    }
    return false;
}

static int number(const char *s, uint32_t *ret)
{
    uint64_t n;

    if (parse_unsigned(s, &n) < 0 || n >= UINT32_MAX)
        return -EINVAL;
    *ret = (uint32_t)n;
    return 0;
}

static const char *text(const Bytes *b)
{
    return b->data ? (const char *)b->data : "";
}

/* The entry whose name is `name`, or whose number (third field) is `id` when name is NULL. */
static bool entry_find(const Bytes *file, const char *name, uint32_t id, Entry *e)
{
    uint32_t n;

    for (const char *p = text(file); entry_next(&p, e);)
        if (name ? streq(e->fields[0], name) : number(e->fields[2], &n) == 0 && n == id && *e->fields[0])
            return true;
    return false;
}

static bool list_contains(const char *list, const char *name)
{
    size_t size = strlen(name);

    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ",");
        if (n == size && strncmp(p, name, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static void add_groups(const Bytes *group, const char *user, Identity *i)
{
    Entry e;
    gid_t gid;

    for (const char *p = text(group); entry_next(&p, &e) && i->n_groups < IDENTITY_GROUPS_MAX;)
        if (number(e.fields[2], &gid) == 0 && list_contains(e.fields[3], user))
            i->groups[i->n_groups++] = gid;
}

static int resolve_user(const char *user, const Bytes *passwd, const Bytes *group, Identity *i)
{
    Entry e;
    bool numeric = number(user, &i->uid) == 0;

    if (!entry_find(passwd, numeric ? NULL : user, i->uid, &e)) {
        /* Root needs no entry. */
        if (!numeric && !streq(user, "root"))
            return -ENOENT;
        return 0;
    }
    if (number(e.fields[2], &i->uid) < 0 || number(e.fields[3], &i->gid) < 0)
        return -EINVAL;
    if (*e.fields[5] == '/' && strlen(e.fields[5]) < sizeof i->home)
        memcpy(i->home, e.fields[5], strlen(e.fields[5]) + 1);
    add_groups(group, e.fields[0], i);
    return 0;
}

static int resolve_group(const char *name, const Bytes *group, Identity *i)
{
    Entry e;

    /* A group that was asked for by name stands alone, as people expect of "user:group". */
    i->n_groups = 0;
    if (number(name, &i->gid) == 0)
        return 0;
    if (!entry_find(group, name, 0, &e))
        return -ENOENT;
    return number(e.fields[2], &i->gid);
}

int identity_resolve(const char *user, const Bytes *passwd, const Bytes *group, Identity *ret)
{
    Identity i = { .home = "/" };
    char name[256];

    if (str_empty(user))
        user = "0";
    size_t n = strcspn(user, ":");
    if (n == 0 || n >= sizeof name || (user[n] && !user[n + 1]))
        return -EINVAL;
    memcpy(name, user, n);
    name[n] = 0;
    int r = resolve_user(name, passwd, group, &i);
    if (r >= 0 && user[n])
        r = resolve_group(user + n + 1, group, &i);
    if (r >= 0)
        *ret = i;
    return r;
}

static int read_text(int root, const char *name, Bytes *ret)
{
    _cleanup_(closep) int fd = open_beneath(root, name, O_RDONLY | O_NONBLOCK, 0);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return 0;
    int r = fd < 0 ? fd : file_read_fd(fd, FILE_MAX, ret);
    return r < 0 ? r : bytes_terminate(ret);
}

int identity_add_groups(Identity *i, char *const *groups, const Bytes *group, const char **ret_missing)
{
    Entry e;
    gid_t gid;

    for (; groups && *groups; groups++) {
        if (i->n_groups == IDENTITY_GROUPS_MAX)
            return -E2BIG;
        if (number(*groups, &gid) < 0) {
            if (!entry_find(group, *groups, 0, &e)) {
                *ret_missing = *groups;
                return -ENOENT;
            }
            if (number(e.fields[2], &gid) < 0)
                return -EINVAL;
        }
        i->groups[i->n_groups++] = gid;
    }
    return 0;
}

int identity_read(int root, const char *user, char *const *groups, Identity *ret, const char **ret_missing)
{
    _cleanup_(bytes_done) Bytes passwd = { 0 };
    _cleanup_(bytes_done) Bytes group = { 0 };

    int r = read_text(root, "etc/passwd", &passwd);
    if (r >= 0)
        r = read_text(root, "etc/group", &group);
    if (r >= 0)
        r = identity_resolve(user, &passwd, &group, ret);
    return r < 0 ? r : identity_add_groups(ret, groups, &group, ret_missing);
}

int identity_read_passwd(int root, Bytes *ret)
{
    return read_text(root, "etc/passwd", ret);
}

char *identity_name(const Bytes *passwd, uid_t uid)
{
    Entry e;

    return entry_find(passwd, NULL, uid, &e) ? strdup(e.fields[0]) : NULL;
}
