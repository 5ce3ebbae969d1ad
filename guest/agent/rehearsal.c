/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/mounts.h"
#include "guest/agent/rehearsal.h"

#define PROGRAM "program"
#define TIMEOUT (10 * USEC_PER_SEC)

/* --- the stage: an image in memory, of this program alone ------------------------------------------------------------------- */

typedef struct Stage {
    Platform platform; /* first: what the agent gets is this */
    PlatformOps ops;
    const char *program;
} Stage;

static int copy_program(const char *program, int image)
{
    _cleanup_(closep) int from = open(program, O_RDONLY | O_CLOEXEC);
    _cleanup_(closep) int to = openat(image, PROGRAM, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    struct stat st;
    ssize_t n = 1;

    if (from < 0 || to < 0 || fstat(from, &st) < 0)
        return -errno;
    while (n > 0)
        n = sendfile(to, from, NULL, (size_t)st.st_size);
    return n < 0 ? -errno : 0;
}

static int mount_image(Platform *p, uint64_t disk, const char *target)
{
    const Stage *stage = (const Stage *)p;
    int r = mount_at("tmpfs", NULL, NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, target);
    _cleanup_(closep) int image = r < 0 ? r : dir_open_at(AT_FDCWD, target);

    return image < 0 ? image : copy_program(stage->program, image);
}

static void nothing(Platform *p) {}

static int leave(const char *run, const char *below)
{
    _cleanup_(freep) char *path = strf("%s/%s", run, below);

    if (!path)
        return -ENOMEM;
    return umount2(path, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT ? -errno : 0;
}

static int clear(const Platform *stage)
{
    static const char *const mounts[] = { "containers/" REHEARSAL_WORD "/root",
                                          "containers/" REHEARSAL_WORD "/layer", "images/0", "shm" };
    int r = 0;

    TABLE_FOREACH (below, mounts)
        if (r >= 0)
            r = leave(stage->run, *below);
    if (r >= 0)
        r = tree_remove_at(AT_FDCWD, stage->run);
    if (r >= 0 && unlinkat(stage->cgroup, "0", AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}

/* --- the play --------------------------------------------------------------------------------------------------------------- */

int rehearsal_program(void)
{
    puts(REHEARSAL_WORD);
    return 0;
}

static int configure(Agent *a, Failure *f)
{
    AgentConfigure all;
    AgentContainer one;

    int r = schema_init(&agent_configure_schema, &all);
    if (r >= 0 && (r = schema_init(&agent_container_schema, &one)) >= 0) {
        one.definition.restart.policy = RESTART_NEVER;
        r = str_replace(&one.definition.name, REHEARSAL_WORD);
        if (r >= 0)
            r = strv_append(&one.command, "/" PROGRAM);
        if (r >= 0)
            r = strv_append(&one.command, REHEARSAL_WORD);
        all.containers = &one;
        all.n_containers = 1;
        if (r >= 0)
            r = agent_configure(a, 0, &all, f);
        all.containers = NULL;
        all.n_containers = 0;
        schema_done(&agent_container_schema, &one);
    }
    schema_done(&agent_configure_schema, &all);
    return r;
}

static void on_late(void *userdata)
{
    *(bool *)userdata = true;
}

static int play(Agent *a, Failure *f)
{
    bool late = false;
    Timer timer = { .func = on_late, .userdata = &late };
    int r = configure(a, f);

    loop_timer_set(&a->loop, &timer, usec_add(loop_now(&a->loop), TIMEOUT));
    while (r >= 0 && !a->ending.completed && !late)
        r = agent_round(a);
    loop_timer_clear(&a->loop, &timer);
    const Container *c = r >= 0 ? &a->containers[0] : NULL;
    if (c && (late || c->exit_code != 0))
        return failure_say(f, -EIO, "%s", c->failure.error ? c->failure.text : "it did not end well");
    return r;
}

static int act(Platform *stage, Failure *f)
{
    Agent *a = NULL;

    int r = agent_new(&a, stage, NULL);
    if (r >= 0)
        r = play(a, f);
    agent_free(a);
    return r;
}

int rehearse(const Platform *platform, const char *program)
{
    _cleanup_(freep) char *run = strf("%s/" REHEARSAL_WORD, platform->run);
    Stage stage = { .ops = *platform->ops, .program = program };
    Failure f = { 0 };

    if (!run)
        return -ENOMEM;
    stage.ops.mount_image = mount_image;
    stage.ops.close_kernel = nothing;
    stage.ops.power_off = nothing;
    stage.platform = (Platform){ .ops = &stage.ops, .run = run, .cgroup = platform->cgroup };
    int r = act(&stage.platform, &f), cleared = clear(&stage.platform);
    if (r < 0)
        log_error("no container could be rehearsed: %s", f.error ? f.text : strerror(-r));
    else if ((r = cleared) < 0)
        log_error_errno(r, "something of the rehearsal is left");
    return r;
}
