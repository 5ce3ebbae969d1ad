/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "runner/pod-files.h"

#define TAKE_TIMEOUT (30 * USEC_PER_SEC)

typedef struct PodFile {
    PodFiles *owner;
    PodFileKind kind;
    const char *name; /* the definition's */
    int fd;           /* -1: not there yet */
    uint64_t size;
    uint64_t sent;
    bool whole; /* the session has got it */
} PodFile;

struct PodFiles {
    PodFile items[POD_FILES_MAX];
    size_t n_items;
    PodFilesRefusedFunc refused;
    void *userdata;
};

static PodFile *add(PodFiles *f, PodFileKind kind, const char *name)
{
    PodFile *item = &f->items[f->n_items++];

    *item = (PodFile){ .owner = f, .kind = kind, .name = name, .fd = -1 };
    return item;
}

/* What stands in the pod file is in memory too, so that all are handled alike. */
static int fill(PodFile *item, const char *content)
{
    _cleanup_(closep) int fd = memfd_create("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = fd < 0 ? -errno : write_all(fd, content, strlen(content));

    if (r < 0)
        return r;
    item->fd = take_fd(&fd);
    item->size = strlen(content);
    return 0;
}

int pod_files_new(const PodDefinition *pod, PodFilesRefusedFunc refused, void *userdata, PodFiles **ret)
{
    PodFiles *f = calloc(1, sizeof *f);
    int r = f ? 0 : -ENOMEM;

    if (!f)
        return r;
    f->refused = refused;
    f->userdata = userdata;
    for (size_t i = 0; i < pod->n_secrets && i < SECRETS_MAX; i++)
        (void)add(f, POD_FILE_SECRET, pod->secrets[i].name);
    for (size_t i = 0; r >= 0 && i < pod->n_configs && i < CONFIGS_MAX; i++) {
        PodFile *item = add(f, POD_FILE_CONFIG, pod->configs[i].name);
        r = pod->configs[i].source ? 0 : fill(item, pod->configs[i].content ?: "");
    }
    if (r < 0) {
        pod_files_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

PodFiles *pod_files_free(PodFiles *f)
{
    for (size_t i = 0; f && i < f->n_items; i++)
        safe_close(f->items[i].fd);
    free(f);
    return NULL;
}

bool pod_files_any(const PodFiles *f)
{
    return f->n_items > 0;
}

bool pod_files_complete(const PodFiles *f)
{
    for (size_t i = 0; i < f->n_items; i++)
        if (f->items[i].fd < 0)
            return false;
    return true;
}

static PodFile *find(PodFiles *f, PodFileKind kind, const char *name)
{
    for (size_t i = 0; i < f->n_items; i++)
        if (f->items[i].kind == kind && streq_ptr(f->items[i].name, name))
            return &f->items[i];
    return NULL;
}

int pod_files_take(PodFiles *f, const RunnerFile *message, int *fd)
{
    PodFile *item = find(f, message->kind, message->name);
    struct stat st;

    if (!item)
        return -ENOENT;
    if (*fd < 0)
        return -EINVAL;
    int seals = fcntl(*fd, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_WRITE) || fstat(*fd, &st) < 0 || st.st_size > POD_FILE_CONTENT_MAX)
        return -EINVAL;
    safe_close(item->fd);
    item->fd = take_fd(fd);
    item->size = (uint64_t)st.st_size;
    item->sent = 0;
    item->whole = false;
    return 0;
}

void pod_files_rewind(PodFiles *f)
{
    for (size_t i = 0; i < f->n_items; i++) {
        f->items[i].sent = 0;
        f->items[i].whole = false;
    }
}

static void on_taken(void *userdata, int error, const char *message)
{
    const PodFile *item = userdata;

    /* Another session begins anew. */
    if (error < 0 && error != -ECONNRESET)
        item->owner->refused(item->owner->userdata, enum_to_string(&pod_file_kind_table, (int)item->kind),
                             item->name, error, message);
}

/* The agent answers the last piece alone. */
static int send_piece(PodFile *item, AgentClient *client)
{
    uint8_t data[AGENT_FILE_PIECE_MAX];
    AgentFile piece = { .kind = item->kind, .name = (char *)(uintptr_t)item->name, .offset = item->sent };
    ssize_t n = pread(item->fd, data, sizeof data, (off_t)item->sent);

    if (n < 0 || (n == 0 && item->sent < item->size))
        return n < 0 ? -errno : -EIO;
    piece.data = (Bytes){ .data = data, .size = (size_t)n };
    piece.last = item->sent + (size_t)n >= item->size;
    int r = piece.last ? agent_client_request(client, AGENT_FILE, &piece, TAKE_TIMEOUT, on_taken, item)
                       : agent_client_send(client, AGENT_FILE, &piece);
    explicit_bzero(data, sizeof data);
    if (r < 0)
        return r;
    item->sent += (size_t)n;
    item->whole = piece.last;
    return 0;
}

int pod_files_pump(PodFiles *f, AgentClient *client)
{
    for (size_t i = 0; i < f->n_items; i++) {
        PodFile *item = &f->items[i];
        while (item->fd >= 0 && !item->whole) {
            if (!agent_client_has_room(client))
                return 0;
            int r = send_piece(item, client);
            if (r < 0)
                return r;
        }
    }
    return 1;
}
