/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/strings.h"
#include "schemas/publish.h"
#include "uplink/ports.h"

#define UNPRIVILEGED_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"

static unsigned unprivileged_first(void)
{
    enum { USUAL = 1024 };
    _cleanup_(bytes_done) Bytes text = { 0 };
    uint64_t first;

    if (file_read_at(AT_FDCWD, UNPRIVILEGED_FILE, 64, &text) < 0 || bytes_terminate(&text) < 0)
        return USUAL;
    text.data[strcspn((char *)text.data, "\n")] = 0;
    return parse_unsigned((char *)text.data, &first) < 0 || first > UINT16_MAX ? USUAL : (unsigned)first;
}

bool ports_any_privileged(char *const *publish)
{
    unsigned first = unprivileged_first();
    Publish p;

    STRV_FOREACH (text, (char **)publish)
        if (publish_parse(*text, &p, NULL) >= 0 && p.host < first)
            return true;
    return false;
}

/* --- who has it ---------------------------------------------------------------------------------------------------------- */

static const char *const socket_files[PUBLISH_PROTOCOL_MAX][2] = {
    [PUBLISH_TCP] = { "/proc/net/tcp", "/proc/net/tcp6" },
    [PUBLISH_UDP] = { "/proc/net/udp", "/proc/net/udp6" },
};

/* "  0: 0100007F:1F90 00000000:0000 0A ... INODE": the inode of a socket that waits at this port, or NULL. */
static char *inode_in_line(const char *line, unsigned port, PublishProtocol protocol)
{
    enum { LOCAL = 1, STATE = 3, INODE = 9 };
    _cleanup_(strv_freep) char **words = strv_split(line, " \t\n");
    const char *waiting = protocol == PUBLISH_TCP ? "0A" : "07";

    if (strv_length(words) <= INODE || !streq(words[STATE], waiting))
        return NULL;
    const char *colon = strrchr(words[LOCAL], ':');
    return colon && strtoul(colon + 1, NULL, 16) == port ? strdup(words[INODE]) : NULL;
}

static char *socket_inode(const char *path, unsigned port, PublishProtocol protocol)
{
    FILE *f = fopen(path, "re");
    char *line = NULL, *inode = NULL;
    size_t size = 0;

    while (f && !inode && getline(&line, &size, f) > 0)
        inode = inode_in_line(line, port, protocol);
    free(line);
    if (f)
        (void)fclose(f);
    return inode;
}

static bool process_has(const char *pid, const char *wanted)
{
    _cleanup_(freep) char *path = strf("/proc/%s/fd", pid);
    _cleanup_(closedirp) DIR *d = path ? opendir(path) : NULL;
    char target[64];

    for (struct dirent *e; d && (e = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = 0;
        if (streq(target, wanted))
            return true;
    }
    return false;
}

static char *process_name(const char *pid)
{
    _cleanup_(freep) char *path = strf("/proc/%s/comm", pid);
    _cleanup_(bytes_done) Bytes text = { 0 };

    if (!path || file_read_at(AT_FDCWD, path, 64, &text) < 0 || text.size == 0)
        return NULL;
    return str_escape(text.data, text.size - 1);
}

/* "nginx (process 812)"; NULL where it cannot be told. */
static char *holder_of_inode(const char *inode)
{
    _cleanup_(freep) char *wanted = strf("socket:[%s]", inode);
    _cleanup_(closedirp) DIR *d = opendir("/proc");

    for (struct dirent *e; wanted && d && (e = readdir(d));) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || !process_has(e->d_name, wanted))
            continue;
        _cleanup_(freep) char *name = process_name(e->d_name);
        return strf("%s (process %s)", name ?: "a program", e->d_name);
    }
    return NULL;
}

static char *holder(const Publish *p, unsigned i)
{
    char *found = NULL;

    for (int j = 0; j < 2 && !found; j++) {
        _cleanup_(freep) char *inode = socket_inode(socket_files[p->protocol][j], p->host + i, p->protocol);
        found = inode && !streq(inode, "0") ? holder_of_inode(inode) : NULL;
    }
    return found;
}

/* --- trying ---------------------------------------------------------------------------------------------------------------- */

/* A closed connection that lingers does not hold its port; of datagrams only a port that nobody has is ours. */
static int try_socket(const Publish *p, unsigned i, sa_family_t family)
{
    int type = p->protocol == PUBLISH_TCP ? SOCK_STREAM : SOCK_DGRAM, on = 1;
    PublishSocket at = publish_socket(p, i, family);

    _cleanup_(closep) int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (type == SOCK_STREAM)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &at.any, at.length) < 0)
        return -errno;
    /* Of two that listen with SO_REUSEADDR only this tells. */
    return type == SOCK_STREAM && listen(fd, 1) < 0 ? -errno : 0;
}

static int try_port(const Publish *p, unsigned i)
{
    if (p->family != AF_UNSPEC)
        return try_socket(p, i, p->family);
    int r = try_socket(p, i, AF_INET);
    if (r < 0 && r != -EAFNOSUPPORT)
        return r;
    /* A host may have no IPv6. */
    int r6 = try_socket(p, i, AF_INET6);
    return r6 == -EAFNOSUPPORT || r6 == -EADDRNOTAVAIL ? r : r6;
}

static char *why_not(const Publish *p, unsigned i, int error)
{
    _cleanup_(freep) char *port = publish_format_port(p, i);
    _cleanup_(freep) char *who = error == -EADDRINUSE ? holder(p, i) : NULL;

    if (!port)
        return NULL;
    if (error == -EADDRINUSE)
        return strf("the port %s is taken on this host%s%s", port, who ? ", by " : "", who ?: "");
    if (error == -EADDRNOTAVAIL)
        return strf("the port %s cannot be published: this host has no such address", port);
    if (error == -EACCES)
        return strf("the port %s cannot be published: ports below %u are for privileged programs "
                    "(net.ipv4.ip_unprivileged_port_start)",
                    port, unprivileged_first());
    return strf("the port %s cannot be published: %s", port, strerror(-error));
}

int ports_check(char *const *publish, char **ret_why)
{
    Publish p;

    STRV_FOREACH (text, (char **)publish) {
        if (publish_parse(*text, &p, ret_why) < 0)
            return -EINVAL;
        for (unsigned i = 0; i < p.count; i++) {
            int r = try_port(&p, i);
            if (r < 0) {
                *ret_why = why_not(&p, i, r);
                return r;
            }
        }
    }
    return 0;
}
