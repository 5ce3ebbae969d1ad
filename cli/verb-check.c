/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor check: pod files read as podvisord reads them, without podvisord. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backends/abilities.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/daemon-settings.h"
#include "cli/exit-status.h"
#include "cli/networks.h"
#include "cli/published.h"
#include "cli/verbs.h"
#include "images/image-store.h"
#include "schemas/formats.h"
#include "schemas/order.h"
#include "schemas/pod-definition.h"

typedef struct Check {
    Diagnostics diagnostics;
    Diagnostics warnings; /* about this host, not about the file */
    char **names;         /* of the pods that were looked at, right or wrong */
    char **read;          /* files without an error of their own */
    char **good;          /* and with none that others make of it */
    ImageStore *images;   /* NULL: this host has none */
    Order *order;         /* of the pods that were read */
    PublishedPorts published;
    CheckedNetworks networks;
    AbilitySettings settings;
    bool complete; /* whole directories were read, so that a pod which is not among them is missing */
} Check;

static const char *file_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void check_name(Check *c, const char *path)
{
    _cleanup_(freep) char *name = pod_name_from_file(file_name_of(path));

    if (name && strv_append(&c->names, name) < 0)
        c->diagnostics.lost = true;
    if (name)
        return;
    if (str_ends_with(path, ".pod"))
        diagnostics_add(&c->diagnostics, path, 0, "the file's name is the pod's name and .pod; expected %s",
                        format_name.accepted);
    else
        diagnostics_add(&c->diagnostics, path, 0,
                        "podvisord reads only files whose name ends in .pod or .network");
}

/* The file is right all the same: images come and go, and a file may be checked elsewhere than where it is to run. */
static void check_images(Check *c, const char *path, const PodDefinition *pod)
{
    for (size_t i = 0; c->images && i < pod_n_containers(pod); i++) {
        const ContainerDefinition *container = pod_container(pod, i);
        _cleanup_(freep) char *sentence = NULL;
        if (container->image && image_lookup(c->images, container->image, NULL, NULL, &sentence) < 0)
            diagnostics_add(&c->warnings, path, 0, "warning: container %s: %s", container->name ?: "?",
                            sentence ?: "its image cannot be looked up");
    }
}

/* Of two files for one pod, the first directory's counts. */
static void note_order(Check *c, const char *path, const PodDefinition *pod, PodLines lines)
{
    _cleanup_(freep) char *name = pod_name_from_file(file_name_of(path));
    const OrderNode *known = name ? order_find(c->order, name) : NULL;
    const OrderRule rule = {
        .file = path,
        .after = pod->after,
        .requires = pod->requires,
        .after_line = lines.after,
        .requires_line = lines.requires,
    };

    if (name && !(known && known->said) && order_set(c->order, name, &rule) < 0)
        c->diagnostics.lost = true;
}

static void note_published(Check *c, const char *path, const PodDefinition *pod, PodLines lines)
{
    _cleanup_(freep) char *name = pod_name_from_file(file_name_of(path));

    if (name && published_add(&c->published, name, path, lines, pod) < 0)
        c->diagnostics.lost = true;
}

static void note_network(Check *c, const char *path, const PodDefinition *pod, PodLines lines)
{
    _cleanup_(freep) char *name = pod_name_from_file(file_name_of(path));

    if (name && networks_use(&c->networks, name, path, lines, pod) < 0)
        c->diagnostics.lost = true;
}

/* False: it is no network's file. */
static bool check_network(Check *c, const char *path, const Bytes *text)
{
    _cleanup_(freep) char *name = NULL;

    if (!str_ends_with(path, ".network"))
        return false;
    name = managed_network_name_from_file(file_name_of(path));
    if (!name)
        diagnostics_add(&c->diagnostics, path, 0,
                        "the file's name is the network's name and .network; expected %s",
                        format_name.accepted);
    else if (networks_add(&c->networks, name, path, text->data ?: (const uint8_t *)"", text->size,
                          &c->diagnostics) < 0)
        c->diagnostics.lost = true;
    return true;
}

static void check_text(Check *c, const char *path, const Bytes *text)
{
    size_t before = c->diagnostics.n_items;
    PodDefinition pod;
    PodLines lines;

    if (pod_file_read(&pod, &c->settings, path, text, &c->diagnostics, &lines) < 0) {
        c->diagnostics.lost = true;
        return;
    }
    if (c->diagnostics.n_items == before) {
        check_images(c, path, &pod);
        note_order(c, path, &pod, lines);
        note_published(c, path, &pod, lines);
        note_network(c, path, &pod, lines);
    }
    pod_definition_done(&pod);
}

static void refuse_file(Check *c, const char *path, int error)
{
    if (error == -EFBIG)
        diagnostics_add(&c->diagnostics, path, 0, "is larger than %dK, which no pod file is",
                        POD_FILE_SIZE_MAX / 1024);
    else if (error == -EINVAL)
        diagnostics_add(&c->diagnostics, path, 0, "is no regular file");
    else
        diagnostics_add(&c->diagnostics, path, 0, "cannot be read: %s", strerror(-error));
}

static void check_file(Check *c, const char *path)
{
    size_t before = c->diagnostics.n_items;
    Bytes text = { 0 };

    int r = file_read_at(AT_FDCWD, path, POD_FILE_SIZE_MAX, &text);
    if (r < 0)
        refuse_file(c, path, r);
    else if (!check_network(c, path, &text)) {
        check_name(c, path);
        check_text(c, path, &text);
    }
    bytes_done(&text);
    if (c->diagnostics.n_items == before && strv_append(&c->read, path) < 0)
        c->diagnostics.lost = true;
}

/* What podvisord would take from a directory: *.pod and *.network without dotfiles, and no masks. */
static bool is_candidate(const char *directory, const char *name)
{
    char target[16];
    _cleanup_(freep) char *path = strf("%s/%s", directory, name);
    ssize_t n = path ? readlink(path, target, sizeof target) : -1;
    bool masked = n == (ssize_t)strlen("/dev/null") && memcmp(target, "/dev/null", (size_t)n) == 0;

    return *name != '.' && (str_ends_with(name, ".pod") || str_ends_with(name, ".network")) && !masked;
}

static void check_directory(Check *c, const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);

    c->complete = true;
    if (n < 0) {
        refuse_file(c, path, -errno);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (is_candidate(path, entries[i]->d_name)) {
            _cleanup_(freep) char *file =
                strf("%s%s%s", path, str_ends_with(path, "/") ? "" : "/", entries[i]->d_name);
            if (file)
                check_file(c, file);
            else
                c->diagnostics.lost = true;
        }
        free(entries[i]);
    }
    free(entries);
}

static void check_path(Check *c, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        check_directory(c, path);
    else
        check_file(c, path);
}

/* Without arguments: all that podvisord would read; a directory of that list that is not there is no error. */
static void check_all(Check *c, char **directories)
{
    STRV_FOREACH (directory, directories)
        if (access(*directory, F_OK) == 0)
            check_directory(c, *directory);
}

/* --- what pods say about each other -------------------------------------------------------------------------------- */

static void check_circle(void *userdata, const OrderNode *node)
{
    Check *c = userdata;
    unsigned line;
    _cleanup_(freep) char *text = node->cycle ? order_complaint(c->order, node, &line) : NULL;

    if (node->cycle)
        diagnostics_add(&c->diagnostics, node->file, line, "%s", text ?: "it would wait for itself");
}

/* Right all the same: the other file may come later, and is waited for. */
static void check_missing(void *userdata, const OrderNode *node)
{
    Check *c = userdata;
    const OrderEdge *e;

    if (!c->complete || strv_contains(c->names, node->name))
        return;
    const char *meant = str_suggest(node->name, (const char *const *)c->names, strv_length(c->names));
    TAILQ_FOREACH(e, &node->in, in_entry)
    diagnostics_add(&c->warnings, e->from->file, e->line,
                    "warning: %s: there is no pod \"%s\" among these; it would be waited for%s%s%s",
                    e->requires ? "requires" : "after", node->name, meant ? "; did you mean \"" : "",
                    meant ?: "", meant ? "\"?" : "");
}

static bool complained_about(const Diagnostics *d, const char *file)
{
    for (size_t i = 0; i < d->n_items; i++)
        if (streq(d->items[i].file, file))
            return true;
    return false;
}

static void check_order(Check *c)
{
    order_each(c->order, check_circle, c);
    order_each(c->order, check_missing, c);
    published_check(&c->published, &c->diagnostics);
    networks_check(&c->networks, c->complete, &c->diagnostics);
    STRV_FOREACH (file, c->read)
        if (!complained_about(&c->diagnostics, *file) && strv_append(&c->good, *file) < 0)
            c->diagnostics.lost = true;
}

/* --- what is said about them --------------------------------------------------------------------------------------- */

static Json *diagnostic_to_json(const Diagnostic *d, const char *severity)
{
    _cleanup_(json_releasep) Json *object = json_new_object();

    if (json_put(object, "file", json_text(d->file)) < 0 ||
        json_put(object, "line", d->line > 0 ? json_whole(d->line) : json_text(NULL)) < 0 ||
        json_put(object, "severity", json_text(severity)) < 0 ||
        json_put(object, "message", json_text(d->text)) < 0)
        return NULL;
    return take_ptr(object);
}

static int append_all(Json *array, const Diagnostics *d, const char *severity)
{
    for (size_t i = 0; i < d->n_items; i++)
        if (json_append(array, diagnostic_to_json(&d->items[i], severity)) < 0)
            return -ENOMEM;
    return 0;
}

static int print_json(const Check *c, JsonStyle style)
{
    _cleanup_(json_releasep) Json *array = json_new_array();

    int r = append_all(array, &c->diagnostics, "error");
    if (r >= 0)
        r = append_all(array, &c->warnings, "warning");
    return r < 0 ? log_error_errno(r, "The result cannot be shown") : json_print(array, style, stdout);
}

static void print_text(Check *c, bool legend)
{
    _cleanup_(freep) char *text = diagnostics_format(&c->diagnostics),
                          *warnings = diagnostics_format(&c->warnings);

    if (text && *text)
        fprintf(stderr, "%s\n", text);
    if (warnings && *warnings)
        fprintf(stderr, "%s\n", warnings);
    if (!text)
        log_error("The errors cannot be shown: out of memory");
    STRV_FOREACH (file, c->good)
        if (legend)
            printf("%s: good\n", *file);
    if (legend && !c->good && !diagnostics_any(&c->diagnostics))
        log_warning("no pod file was found: directories hold them as NAME.pod");
}

/* NULL where nothing was ever imported, or where this user may not look. */
static ImageStore *open_images(const Paths *paths)
{
    _cleanup_(closep) int state = dir_open_at(AT_FDCWD, paths->state);
    ImageStore *store = NULL;

    if (state < 0 || faccessat(state, PATHS_IMAGES, R_OK | X_OK, 0) < 0)
        return NULL;
    return image_store_open(state, IMAGE_READ, &store, NULL) < 0 ? NULL : store;
}

static void check_done(Check *c)
{
    diagnostics_done(&c->diagnostics);
    diagnostics_done(&c->warnings);
    strv_free(c->names);
    strv_free(c->read);
    strv_free(c->good);
    order_free(c->order);
    published_done(&c->published);
    networks_done(&c->networks);
    image_store_free(c->images);
}

/* What the host's podvisord allows pod files. */
static int load_settings(const Context *context, AbilitySettings *ret)
{
    DaemonConfig config;

    int r = daemon_settings_load(context, &config);
    if (r < 0)
        return r;
    *ret = (AbilitySettings){ .libvirt_xml = config.libvirt_xml };
    schema_done(&daemon_config_schema, &config);
    return 0;
}

int verb_check(Context *context)
{
    Check c = { .images = open_images(&context->paths) };
    int r = load_settings(context, &c.settings);
    if (r >= 0)
        r = order_new(&c.order, NULL, NULL);

    if (r < 0) {
        check_done(&c);
        log_error("Out of memory");
        return STATUS_FAILURE;
    }
    if (!context->arguments)
        check_all(&c, context->paths.definitions);
    STRV_FOREACH (path, context->arguments)
        check_path(&c, *path);
    check_order(&c);
    diagnostics_sort(&c.diagnostics);
    if (option_given(context, OPTION_JSON))
        r = print_json(&c, (JsonStyle)context->options[OPTION_JSON].number);
    else
        print_text(&c, !option_given(context, OPTION_NO_LEGEND));
    bool bad = diagnostics_any(&c.diagnostics) || r < 0;
    check_done(&c);
    return bad ? STATUS_FAILURE : STATUS_OK;
}
