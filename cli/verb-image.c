/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor image: the store of this host's images. No podvisord is asked: the store's locks do what is needed. */
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/image-users.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "images/import.h"

enum { DIGEST_SHOWN = 19 }; /* characters of a digest in tables: "sha256:" and 12 digits */

/* Says the store's sentence, or the errno where there is none. */
static int complain(const char *what, int error, char *sentence)
{
    if (sentence)
        log_error("%s", sentence);
    else
        log_error_errno(error, "%s", what);
    free(sentence);
    return exit_status_of_image(error);
}

static int open_store(const Context *c, ImageAccess access, ImageStore **ret)
{
    char *sentence = NULL;

    int r = access == IMAGE_WRITE ? dir_make_path(c->paths.state, 0755) : 0;
    _cleanup_(closep) int state = r < 0 ? r : dir_open_at(AT_FDCWD, c->paths.state);
    /* Nothing was ever imported: a store of nothing. */
    if (state == -ENOENT && access == IMAGE_READ)
        return STATUS_OK;
    r = state < 0 ? state : image_store_open(state, access, ret, &sentence);
    return r < 0 ? complain(c->paths.state, r, sentence) : STATUS_OK;
}

/* --- import ----------------------------------------------------------------------------------------------------- */

static int show_progress(void *userdata, ImportPhase phase, uint64_t done, uint64_t total)
{
    const char *name = userdata;

    if (total > 0)
        fprintf(stderr, "\r\033[K%s: %s, %u%%", name, enum_to_string(&import_phase_table, (int)phase),
                (unsigned)(MIN(done, total) * 100 / total));
    else
        fprintf(stderr, "\r\033[K%s: %s", name, enum_to_string(&import_phase_table, (int)phase));
    return 0;
}

static int show_record(const Context *c, const char *name, const ImageRecord *record)
{
    _cleanup_(freep) char *size = text_memory(record->size);
    _cleanup_(json_releasep) Json *json = NULL;

    if (!option_given(c, OPTION_JSON)) {
        printf("%s: %s, %s\n", name, record->digest, size ?: "?");
        return STATUS_OK;
    }
    json = schema_to_json(&image_record_schema, record);
    int r = json_print(json, (JsonStyle)c->options[OPTION_JSON].number, stdout);
    return r < 0 ? complain(name, r, NULL) : STATUS_OK;
}

int verb_image_import(Context *c)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    bool terminal = isatty(STDERR_FILENO);
    char *sentence = NULL;
    ImageRecord record;
    ImportOptions import = {
        .name = c->arguments[0],
        .source = c->arguments[1],
        .tag = c->options[OPTION_TAG].text,
        .progress = terminal ? show_progress : NULL,
        .userdata = c->arguments[0],
    };

    int status = open_store(c, IMAGE_WRITE, &store);
    if (status != STATUS_OK)
        return status;
    int r = image_import(store, &import, &record, &sentence);
    if (terminal)
        fprintf(stderr, "\r\033[K");
    if (r < 0) {
        status = complain(c->arguments[1], r, sentence);
        /* What could not be found is a file or a part of one, and no image. */
        return status == STATUS_NOT_FOUND ? STATUS_FAILURE : status;
    }
    status = show_record(c, c->arguments[0], &record);
    image_record_done(&record);
    return status;
}

/* --- list ------------------------------------------------------------------------------------------------------- */

static const Column image_columns[] = {
    { "IMAGE", .shrink = true },
    { "DIGEST", .drop = 2 },
    { "SIZE", .right = true, .drop = 3 },
    { "ARCHITECTURE", .drop = 1 },
    { "USE" },
    { "IMPORTED", .drop = 4 },
};

static void add_image(Table *table, const ImageInfo *info, usec_t now)
{
    const ImageRecord *record = &info->record;
    _cleanup_(freep) char *names = info->names ? strv_join(info->names, ", ") : strdup("-");
    const char *use = info->problem ? "damaged" : info->in_use ? "in use" : "-";

    table_add(table, names ? text_safe(names) : NULL, COLOUR_NONE);
    table_add(table, strf("%.*s", DIGEST_SHOWN, record->digest ?: "-"), COLOUR_NONE);
    table_add(table, text_memory(record->size), COLOUR_NONE);
    table_add(table, text_safe(record->architecture ?: "-"), COLOUR_NONE);
    table_add(table, strdup(use), info->problem ? COLOUR_BAD : COLOUR_NONE);
    table_add(table, text_age(record->created, now), COLOUR_NONE);
}

static int print_images(const Context *c, const ImageList *list)
{
    _cleanup_(table_freep) Table *table = NULL;
    TableStyle style = table_style(c);

    int r = table_new(image_columns, ELEMENTSOF(image_columns), &table);
    for (size_t i = 0; r >= 0 && i < list->n_images; i++)
        add_image(table, &list->images[i], now_usec(CLOCK_REALTIME));
    if (r >= 0)
        r = table_print(table, &style, stdout);
    for (size_t i = 0; i < list->n_images; i++)
        if (list->images[i].problem)
            log_warning("%s: %s", list->images[i].record.digest, list->images[i].problem);
    return r;
}

static int print_images_json(const Context *c, const ImageList *list)
{
    _cleanup_(json_releasep) Json *array = json_new_array();

    for (size_t i = 0; i < list->n_images; i++) {
        int r = json_append(array, schema_to_json(&image_info_schema, &list->images[i]));
        if (r < 0)
            return r;
    }
    return json_print(array, (JsonStyle)c->options[OPTION_JSON].number, stdout);
}

static int show_images(const Context *c, const ImageList *list)
{
    int r = option_given(c, OPTION_JSON) ? print_images_json(c, list) : print_images(c, list);
    return r < 0 ? complain("The list cannot be shown", r, NULL) : STATUS_OK;
}

int verb_image_list(Context *c)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    char *sentence = NULL;
    ImageList list = { 0 };

    int status = open_store(c, IMAGE_READ, &store);
    if (status != STATUS_OK)
        return status;
    int r = store ? image_list(store, &list, &sentence) : 0;
    if (r < 0)
        return complain("The images cannot be listed", r, sentence);
    status = show_images(c, &list);
    image_list_done(&list);
    return status;
}

/* --- changes ---------------------------------------------------------------------------------------------------- */

/* Each of the arguments in turn; the first failure is the exit status. */
static int each_image(const Context *c, ImageAccess access,
                      int (*func)(const Context *c, ImageStore *store, const char *reference,
                                  char **ret_error))
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;

    int status = open_store(c, access, &store);
    if (status != STATUS_OK)
        return status;
    STRV_FOREACH (reference, c->arguments) {
        char *sentence = store ? NULL : strf("there is no image \"%s\": none was ever imported", *reference);
        int r = store ? func(c, store, *reference, &sentence) : -ENOENT;
        int one = r < 0 ? complain(*reference, r, sentence) : STATUS_OK;
        status = status == STATUS_OK ? one : status;
    }
    return status;
}

/* The store knows processes; who keeps an image in use is a pod. NULL: no pod does, or none that this user can see. */
static char *name_users(const Context *c, ImageStore *store, const char *reference)
{
    ImageRecord record;

    if (image_lookup(store, reference, &record, NULL, NULL) < 0)
        return NULL;
    _cleanup_(strv_freep) char **users = image_users(&c->paths, record.digest);
    _cleanup_(freep) char *list = strv_join(users, ", "), *words = strv_join(users, " ");
    image_record_done(&record);
    return users ? strf("the image \"%s\" is in use by the pod%s %s; first: podvisor stop %s", reference,
                        users[1] ? "s" : "", list ?: "?", words ?: "POD")
                 : NULL;
}

static int remove_image(const Context *c, ImageStore *store, const char *reference, char **ret_error)
{
    int r = image_remove(store, reference, ret_error);
    char *users = r == -EBUSY ? name_users(c, store, reference) : NULL;

    if (users) {
        free(*ret_error);
        *ret_error = users;
    }
    return r;
}

int verb_image_remove(Context *c)
{
    return each_image(c, IMAGE_WRITE, remove_image);
}

static int verify_image(const Context *c, ImageStore *store, const char *reference, char **ret_error)
{
    return image_verify(store, reference, ret_error);
}

int verb_image_verify(Context *c)
{
    return each_image(c, IMAGE_READ, verify_image);
}

int verb_image_tag(Context *c)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    char *sentence = NULL;

    int status = open_store(c, IMAGE_WRITE, &store);
    if (status != STATUS_OK)
        return status;
    int r = image_tag(store, c->arguments[0], c->arguments[1], &sentence);
    return r < 0 ? complain(c->arguments[0], r, sentence) : STATUS_OK;
}

int verb_image_prune(Context *c)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    bool dry_run = option_given(c, OPTION_DRY_RUN);
    char *sentence = NULL;
    ImageList list = { 0 };

    int status = open_store(c, dry_run ? IMAGE_READ : IMAGE_WRITE, &store);
    if (status != STATUS_OK)
        return status;
    int r = store ? image_prune(store, dry_run, &list, &sentence) : 0;
    if (r < 0)
        return complain("Images cannot be pruned", r, sentence);
    status = show_images(c, &list);
    image_list_done(&list);
    return status;
}
