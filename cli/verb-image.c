/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor image: the store of this host's images. No podvisord is asked: the store's locks do what is needed. */
#include <stdio.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/image-users.h"
#include "cli/image-verbs.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "images/image-store.h"

enum { DIGEST_SHOWN = 19 }; /* characters of a digest in tables: "sha256:" and 12 digits */

int image_complain(const char *what, int error, char *sentence)
{
    if (sentence)
        log_error("%s", sentence);
    else
        log_error_errno(error, "%s", what);
    free(sentence);
    return exit_status_of_image(error);
}

int image_open_store(const Context *c, ImageAccess access, ImageStore **ret)
{
    char *sentence = NULL;

    int r = access == IMAGE_WRITE ? dir_make_path(c->paths.state, 0755) : 0;
    _cleanup_(closep) int state = r < 0 ? r : dir_open_at(AT_FDCWD, c->paths.state);
    /* Nothing was ever imported: a store of nothing. */
    if (state == -ENOENT && access == IMAGE_READ)
        return STATUS_OK;
    r = state < 0 ? state : image_store_open(state, access, ret, &sentence);
    return r < 0 ? image_complain(c->paths.state, r, sentence) : STATUS_OK;
}

/* --- list ------------------------------------------------------------------------------------------------------- */

static const Column image_columns[] = {
    { "IMAGE", .shrink = true },   { "DIGEST", .drop = 2 }, { "SIZE", .right = true, .drop = 3 },
    { "ARCHITECTURE", .drop = 1 }, { "USED BY" },           { "IMPORTED", .drop = 4 },
};

static void add_image(Table *table, const ImageInfo *info, usec_t now)
{
    const ImageRecord *record = &info->record;
    _cleanup_(freep) char *names = info->names ? strv_join(info->names, ", ") : strdup("-");
    _cleanup_(freep) char *pods = info->pods ? strv_join(info->pods, ", ") : NULL;
    const char *use = info->problem ? "damaged" : pods ? pods : info->in_use ? "in use" : "-";

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

/* The store knows processes; who runs an image is a pod. */
static void find_pods(const Context *c, ImageList *list)
{
    for (size_t i = 0; i < list->n_images; i++)
        if (list->images[i].in_use)
            list->images[i].pods = image_users(&c->paths, list->images[i].record.digest);
}

/* "3 images, 58M; cached layers: 12M, of which 3M are of no image" */
static void print_use(const Context *c, ImageStore *store, const ImageList *list)
{
    ImageCache cache = { 0 };
    uint64_t size = 0;

    if (!table_style(c).legend || option_given(c, OPTION_JSON))
        return;
    for (size_t i = 0; i < list->n_images; i++)
        size += list->images[i].record.size;
    (void)image_cache_look(store, &cache, NULL);
    _cleanup_(freep) char *count = text_count(list->n_images, "image", "images"), *images = text_memory(size);
    _cleanup_(freep) char *cached = text_memory(cache.size), *unused = text_memory(cache.unused);
    printf("\n%s, %s; cached layers: %s", count ?: "?", images ?: "?", cached ?: "?");
    if (cache.unused > 0)
        printf(", of which %s are of no image", unused ?: "?");
    puts("");
}

static int show_images(const Context *c, const ImageList *list)
{
    int r = option_given(c, OPTION_JSON) ? print_images_json(c, list) : print_images(c, list);
    return r < 0 ? image_complain("The list cannot be shown", r, NULL) : STATUS_OK;
}

int verb_image_list(Context *c)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    char *sentence = NULL;
    ImageList list = { 0 };

    int status = image_open_store(c, IMAGE_READ, &store);
    if (status != STATUS_OK)
        return status;
    int r = store ? image_list(store, &list, &sentence) : 0;
    if (r < 0)
        return image_complain("The images cannot be listed", r, sentence);
    find_pods(c, &list);
    status = show_images(c, &list);
    if (store)
        print_use(c, store, &list);
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

    int status = image_open_store(c, access, &store);
    if (status != STATUS_OK)
        return status;
    STRV_FOREACH (reference, c->arguments) {
        char *sentence = store ? NULL : strf("there is no image \"%s\": none was ever imported", *reference);
        int r = store ? func(c, store, *reference, &sentence) : -ENOENT;
        int one = r < 0 ? image_complain(*reference, r, sentence) : STATUS_OK;
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

    int status = image_open_store(c, IMAGE_WRITE, &store);
    if (status != STATUS_OK)
        return status;
    int r = image_tag(store, c->arguments[0], c->arguments[1], &sentence);
    return r < 0 ? image_complain(c->arguments[0], r, sentence) : STATUS_OK;
}

static void print_pruned(const Context *c, const ImagePruned *pruned, bool dry_run)
{
    _cleanup_(freep) char *size = text_memory(pruned->cached_size);

    if (pruned->cache_busy)
        log_warning("The cached layers were left alone: a pull is under way");
    if (table_style(c).legend && !option_given(c, OPTION_JSON) && pruned->cached_size > 0)
        printf("\n%s of cached layers %s\n", size ?: "?", dry_run ? "would be removed" : "were removed");
}

int verb_image_prune(Context *c)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    _cleanup_(image_pruned_done) ImagePruned pruned = { 0 };
    const PruneOptions prune = {
        .dry_run = option_given(c, OPTION_DRY_RUN),
        .cached = option_given(c, OPTION_CACHED),
        .older_than = c->options[OPTION_OLDER_THAN].number,
    };
    char *sentence = NULL;

    int status = image_open_store(c, prune.dry_run ? IMAGE_READ : IMAGE_WRITE, &store);
    if (status != STATUS_OK)
        return status;
    int r = store ? image_prune(store, &prune, &pruned, &sentence) : 0;
    if (r < 0)
        return image_complain("Images cannot be pruned", r, sentence);
    status = show_images(c, &pruned.images);
    print_pruned(c, &pruned, prune.dry_run);
    return status;
}
