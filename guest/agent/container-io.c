/* SPDX-License-Identifier: Apache-2.0 */
/* What a container may read and write of the disks that it has. They are there when it is about to start, not before. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/cgroup.h"
#include "guest/agent/mounts.h"

/* path: where a file system is mounted, or will be; freed here. What is no disk is passed over. */
static int limit_disk_of(const Container *c, char *path)
{
    _cleanup_(freep) char *place = path;
    struct stat st;

    if (!place)
        return -ENOMEM;
    if (!mount_is_at(place) || stat(place, &st) < 0 || major(st.st_dev) == 0)
        return 0;
    return cgroup_limit_io(c->cgroup, st.st_dev, &c->config->definition.limits.io);
}

int container_limit_io(Container *c)
{
    const ContainerDefinition *d = &c->config->definition;
    const char *run = c->agent->platform->run;

    /* What was limited once can be lifted. */
    if (!c->io_limited && !io_limits_given(&d->limits.io))
        return 0;
    c->io_limited = true;
    int r = limit_disk_of(c, strf("%s/images/%llu", run, (unsigned long long)c->config->disk));
    for (size_t i = 0; r >= 0 && i < d->n_mounts; i++)
        if (d->mounts[i].volume)
            r = limit_disk_of(c, strf("%s/volumes/%s", run, d->mounts[i].volume));
    return r >= 0 && d->writable_volume ? limit_disk_of(c, strf("%s/volumes/%s", run, d->writable_volume))
                                        : r;
}
