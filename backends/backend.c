/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"
#include "base/file.h"
#include "base/strings.h"

DEFINE_ENUM_TABLE(backend_step, "step",
                  BACKEND_STEP_MAX, [BACKEND_STEP_NONE] = { "none", "nothing was begun" },
                  [BACKEND_STEP_STARTING] = { "starting", "the machine was about to be started" },
                  [BACKEND_STEP_RUNNING] = { "running", "the machine had been started" },
                  [BACKEND_STEP_ENDED] = { "ended", "the machine's end had been recorded" });

DEFINE_ENUM_TABLE(
    backend_event, "backend event",
    BACKEND_EVENT_MAX, [BACKEND_STARTED] = { "started", "the machine runs and proved to be ours" },
    [BACKEND_DOUBTFUL] = { "doubtful", "what runs there could not be proved to be ours" },
    [BACKEND_PAUSED] = { "paused", "the machine's processors have stopped" },
    [BACKEND_RESUMED] = { "resumed", "the machine's processors go on" },
    [BACKEND_GUEST_ENDING] = { "guest-ending", "the guest ends by itself" },
    [BACKEND_OUTPUT] = { "output", "the console or the machine's process said something" },
    [BACKEND_CONTAINERS] = { "containers", "the containers have changed" },
    [BACKEND_HELPER] = { "helper", "a process serves the machine" },
    [BACKEND_NETWORK] = { "network", "the network has come, or is gone" },
    [BACKEND_REFUSED] = { "refused", "an operation did not work" },
    [BACKEND_ENDED] = { "ended", "the machine is gone" });

static const Field backend_end_fields[] = {
    { F_ENUM(BackendEnd, reason, end_reason_table), .doc = "Why the machine ended." },
    { F_SIGNED(BackendEnd, exit_code), .fallback = "-1",
      .doc = "The exit code of its process; -1 for none." },
    { F_UNSIGNED(BackendEnd, exit_signal), .doc = "The signal that ended its process; 0 for none." },
    { F_STRING(BackendEnd, message), .doc = "The cause in words." },
};
DEFINE_SCHEMA(backend_end_schema, BackendEnd, "end", "How a machine ended.", backend_end_fields);

void backend_facts_done(BackendFacts *f)
{
    free(f->detail);
    schema_done(&backend_end_schema, &f->end);
    *f = (BackendFacts){ 0 };
}

int backend_boot_file_open(const BackendContext *context, const char *name, const char *path)
{
    for (size_t i = 0; name && i < context->n_images; i++) {
        if (!streq(context->images[i].name, name))
            continue;
        int fd = fcntl(context->images[i].fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return fd < 0 ? -errno : fd;
    }
    return path ? file_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0) : -ENOENT;
}

int backend_image_open(const BackendContext *context, const RunImage *image)
{
    return backend_boot_file_open(context, image->digest ? str_after(image->digest, "sha256:") : NULL,
                                  image->path);
}
