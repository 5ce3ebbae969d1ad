/* SPDX-License-Identifier: Apache-2.0 */
/*
 * podvisor checkpoint show: every checkpoint of a pod's run path, as it is. It is made for the moment when nothing else
 * works, so it asks no podvisord, knows no owner's fields, and shows what cannot be read by saying why.
 */
#include <dirent.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "schemas/checkpoint.h"
#include "schemas/run-definition.h"

static const PackLimits body_limits = { .size = CHECKPOINT_SIZE_MAX, .depth = 16, .count = 200000 };

/* Secrets that prove one process to another are of no use to a reader, and of much to a thief of the output. */
static bool is_secret(const char *key)
{
    return streq(key, "token") || streq(key, "agent_token");
}

static Json *body_to_json(const Bytes *body)
{
    _cleanup_(pack_document_freep) PackDocument *d = NULL;
    Json *object = json_new_object();

    if (pack_parse(body->data, body->size, &body_limits, &d) < 0 || pack_type(pack_root(d)) != PACK_MAP) {
        json_release(object);
        return json_text("is no map of msgpack");
    }
    for (size_t i = 0; i < pack_count(pack_root(d)); i++) {
        const char *key;
        size_t size;
        const PackValue *value = pack_pair(pack_root(d), i, &key, &size);
        _cleanup_(freep) char *name = key ? str_escape(key, size) : strdup("?");
        Json *item = name && is_secret(name) ? json_text("not shown") : json_from_pack(value);
        if (!name || json_put(object, name, item) < 0)
            return json_release(object);
    }
    return object;
}

static Json *envelope_to_json(CheckpointEnvelope *e)
{
    Json *body = body_to_json(&e->body);
    Json *json = schema_to_json(&checkpoint_envelope_schema, e);

    return json_put(json, "body", body) < 0 ? json_release(json) : json;
}

static Json *doubt_to_json(CheckpointOutcome outcome, const char *detail)
{
    Json *json = json_new_object();

    if (json_put(json, "outcome", json_text(enum_to_string(&checkpoint_outcome_table, (int)outcome))) < 0 ||
        json_put(json, "detail", json_text(detail)) < 0)
        return json_release(json);
    return json;
}

/* Adds shown_name: content. *bad counts what could not be read. */
static int add_checkpoint(Json *all, int dir, const char *file, const char *shown_name, unsigned *bad)
{
    CheckpointEnvelope e;
    _cleanup_(freep) char *detail = NULL;

    CheckpointOutcome outcome = checkpoint_read_envelope(dir, file, &e, &detail);
    if (outcome != CHECKPOINT_GOOD) {
        ++*bad;
        return json_put(all, shown_name, doubt_to_json(outcome, detail));
    }
    int r = json_put(all, shown_name, envelope_to_json(&e));
    schema_done(&checkpoint_envelope_schema, &e);
    return r;
}

static int is_checkpoint(const struct dirent *entry)
{
    return *entry->d_name != '.' && str_ends_with(entry->d_name, ".msgpack");
}

/* prefix: "" or "vm/". */
static int add_directory(Json *all, int dir, const char *prefix, unsigned *bad)
{
    struct dirent **entries;
    int n = scandirat(dir, ".", &entries, is_checkpoint, alphasort), r = n < 0 ? -errno : 0;

    for (int i = 0; i < n; i++) {
        _cleanup_(freep) char *name = strf("%s%s", prefix, entries[i]->d_name);
        if (r >= 0)
            r = name ? add_checkpoint(all, dir, entries[i]->d_name, name, bad) : -ENOMEM;
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return r;
}

static int read_run_path(int dir, Json *all, unsigned *bad)
{
    int r = add_directory(all, dir, "", bad);
    if (r < 0)
        return r;
    _cleanup_(closep) int vm = dir_open_at(dir, RUN_VM_DIR);
    if (vm == -ENOENT)
        return 0;
    return vm < 0 ? vm : add_directory(all, vm, RUN_VM_DIR "/", bad);
}

int verb_checkpoint_show(Context *c)
{
    const char *pod = c->arguments[0];
    _cleanup_(freep) char *path = strf("%s/" PATHS_PODS "/%s", c->paths.run, pod);
    _cleanup_(json_releasep) Json *all = json_new_object();
    JsonStyle style = option_given(c, OPTION_JSON) ? (JsonStyle)c->options[OPTION_JSON].number : JSON_PRETTY;
    unsigned bad = 0;

    _cleanup_(closep) int dir = path ? dir_open_at(AT_FDCWD, path) : -ENOMEM;
    if (dir == -ENOENT) {
        log_error("%s has no run path, so no checkpoints: there is no %s", pod, path);
        return STATUS_NOT_FOUND;
    }
    int r = dir < 0 ? dir : read_run_path(dir, all, &bad);
    if (r >= 0) {
        Pager pager = pager_open(c);
        r = json_print(all, style, stdout);
        pager_close(&pager);
    }
    if (r < 0) {
        log_error_errno(r, "The checkpoints of %s cannot be read", pod);
        return STATUS_FAILURE;
    }
    if (bad > 0)
        log_error("%u of the checkpoints of %s cannot be read, as shown", bad, pod);
    return bad > 0 ? STATUS_FAILURE : STATUS_OK;
}
