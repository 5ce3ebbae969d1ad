/* SPDX-License-Identifier: Apache-2.0 */
/* Into and out of a container's files, as an archive on the standard streams. */
#include <linux/openat2.h>
#include <stdio.h>

#include "archive/pack.h"
#include "archive/unpack.h"
#include "base/file.h"
#include "base/strings.h"
#include "guest/agent/agent.h"
#include "guest/agent/task.h"

/* One complaint or note, to where a program would write it; names may have any bytes but the one at its end. */
static void say(void *userdata, const char *text)
{
    int r = write_all(STDERR_FILENO, text, strlen(text) + 1);

    /* Nobody is there to hear that nobody hears. */
    (void)r;
}

static int finish(int r, const Trouble *t, const TreeCount *done, const char *verb)
{
    if (r >= 0)
        return EXIT_SUCCESS;
    _cleanup_(freep) char *text = strf("%s; %llu entries before it were %s", t->text,
                                       (unsigned long long)MAX(done->entries, UINT64_C(1)) - 1, verb);
    say(NULL, done->entries > 1 && text ? text : t->text);
    return EXIT_FAILURE;
}

static char *path_of(const TaskWork *w)
{
    return strndup((const char *)w->request->path.data, w->request->path.size);
}

int task_copy_out(void *work)
{
    _cleanup_(freep) char *path = path_of(work);
    PackJob job = { .path = path ?: "", .resolve = RESOLVE_NO_MAGICLINKS, .out = STDOUT_FILENO, .note = say };
    TreeCount done = { 0 };
    Trouble t = { 0 };

    return finish(tree_pack(&job, &done, &t), &t, &done, "sent");
}

int task_copy_in(void *work)
{
    const TaskWork *w = work;
    _cleanup_(freep) char *path = path_of(w);
    UnpackJob job = {
        .path = path ?: "",
        .resolve = RESOLVE_NO_MAGICLINKS,
        .directory = w->request->directory,
        .in = STDIN_FILENO,
        .owners = true,
        .power = true,
        .note = say,
    };
    TreeCount done = { 0 };
    Trouble t = { 0 };

    return finish(tree_unpack(&job, &done, &t), &t, &done, "copied");
}
