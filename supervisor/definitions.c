/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/strings.h"
#include "supervisor/definitions.h"

typedef struct Entry {
    Definition definition;
    ssize_t directory;              /* index of the directory whose file decides; -1: none yet */
    char content[SHA256_TEXT_SIZE]; /* of the file as it was read last; "" when it could not be */
    bool changed;
} Entry;

typedef struct Kind {
    const char *word;
    const Schema *schema;
    char *(*name_from_file)(const char *file_name);
    /* Into uninitialised *ret: as pod_definition_read(). */
    int (*read)(const Definitions *owner, const char *name, DefinitionContent *ret, const char *file,
                const Bytes *text, Diagnostics *diagnostics, PodLines *ret_lines);
} Kind;

struct Definitions {
    const Kind *kind;
    char **directories;
    bool trusted_only;
    AbilitySettings settings;
    DefinitionsFunc func;
    void *userdata;
    Entry **entries; /* sorted by name */
    size_t n_entries;
    char **strays; /* "FILE: why it is no pod's" */
};

static int digest(const Schema *schema, const void *object, char ret[SHA256_TEXT_SIZE])
{
    Bytes bytes = { 0 };
    int r = schema_to_bytes(schema, object, &bytes);

    if (r < 0)
        return r;
    sha256_text(bytes.data, bytes.size, ret);
    bytes_done(&bytes);
    return 0;
}

int definition_digest(const PodDefinition *pod, char ret[SHA256_TEXT_SIZE])
{
    return digest(&pod_schema, pod, ret);
}

/* --- kinds -------------------------------------------------------------------------------------------------------- */

static int read_pod(const Definitions *owner, const char *name, DefinitionContent *ret, const char *file,
                    const Bytes *text, Diagnostics *diagnostics, PodLines *ret_lines)
{
    return pod_file_read(&ret->pod, &owner->settings, file, text, diagnostics, ret_lines);
}

static int read_network(const Definitions *owner, const char *name, DefinitionContent *ret, const char *file,
                        const Bytes *text, Diagnostics *diagnostics, PodLines *ret_lines)
{
    return managed_network_read(&ret->network, name, file, text->data ?: (const uint8_t *)"", text->size,
                                diagnostics);
}

static const Kind kinds[DEFINITION_KIND_MAX] = {
    [DEFINITION_POD] = { "pod", &pod_schema, pod_name_from_file, read_pod },
    [DEFINITION_NETWORK] = { "network", &managed_network_schema, managed_network_name_from_file,
                             read_network },
};

/* --- the table of names ----------------------------------------------------------------------------------------- */

static Entry *entry_free(const Definitions *d, Entry *e)
{
    free(e->definition.name);
    free(e->definition.file);
    if (e->definition.defined)
        schema_done(d->kind->schema, &e->definition.content);
    strv_free(e->definition.errors);
    free(e);
    return NULL;
}

/* Where name is, or is to be put. */
static size_t position(const Definitions *d, const char *name, bool *ret_found)
{
    size_t low = 0, high = d->n_entries;

    *ret_found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, d->entries[middle]->definition.name);
        if (order == 0)
            *ret_found = true;
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static Entry *entry_add(Definitions *d, const char *name)
{
    bool found;
    size_t i = position(d, name, &found);
    if (found)
        return d->entries[i];

    _cleanup_(freep) Entry *e = calloc(1, sizeof *e);
    Entry **longer = reallocarray(d->entries, d->n_entries + 1, sizeof *longer);
    if (longer)
        d->entries = longer;
    if (!longer || !e || !(e->definition.name = strdup(name)))
        return NULL;
    e->directory = -1;
    memmove(longer + i + 1, longer + i, (d->n_entries - i) * sizeof *longer);
    d->n_entries++;
    return longer[i] = take_ptr(e);
}

static void entry_remove(Definitions *d, Entry *e)
{
    bool found;
    size_t i = position(d, e->definition.name, &found);

    memmove(d->entries + i, d->entries + i + 1, (d->n_entries - i - 1) * sizeof *d->entries);
    d->n_entries--;
    entry_free(d, e);
}

/* --- one file ---------------------------------------------------------------------------------------------------- */

/* Takes errors. The last good content stays. */
static void set_errors(Entry *e, char **errors)
{
    if (strv_equal(e->definition.errors, errors)) {
        strv_free(errors);
        return;
    }
    strv_free(e->definition.errors);
    e->definition.errors = errors;
    e->changed = true;
}

static int set_error(Entry *e, const char *file, const char *why)
{
    _cleanup_(strv_freep) char **errors = NULL;

    int r = strv_appendf(&errors, "%s: %s%s", file, why,
                         e->definition.defined ? "; the definition read before goes on" : "");
    if (r >= 0)
        set_errors(e, take_ptr(errors));
    e->content[0] = 0;
    return r;
}

static int set_place(Entry *e, ssize_t directory, const char *file)
{
    if (!e->definition.declared || !streq_ptr(e->definition.file, file))
        e->changed = true;
    e->definition.declared = true;
    e->directory = directory;
    return str_replace(&e->definition.file, file);
}

/* Takes content. */
static int set_content(const Definitions *d, Entry *e, DefinitionContent *content)
{
    const Schema *schema = d->kind->schema;
    char hash[SHA256_TEXT_SIZE];
    int r = digest(schema, content, hash);

    if (r < 0 || (e->definition.defined && streq(hash, e->definition.digest))) {
        schema_done(schema, content);
        return r;
    }
    if (e->definition.defined)
        schema_done(schema, &e->definition.content);
    e->definition.content = *content;
    e->definition.defined = true;
    memcpy(e->definition.digest, hash, sizeof hash);
    e->changed = true;
    return 0;
}

static int parse(const Definitions *d, Entry *e, const char *file, const Bytes *text)
{
    Diagnostics diagnostics = { 0 };
    _cleanup_(strv_freep) char **errors = NULL;
    DefinitionContent content;
    PodLines lines = { 0 };

    int r = d->kind->read(d, e->definition.name, &content, file, text, &diagnostics, &lines);
    if (r == 0) {
        e->changed |= memcmp(&lines, &e->definition.lines, sizeof lines) != 0;
        e->definition.lines = lines;
        r = set_content(d, e, &content);
    } else if (r > 0) {
        schema_done(d->kind->schema, &content);
        diagnostics_sort(&diagnostics);
        r = diagnostics.lost ? -ENOMEM : 0;
        for (size_t i = 0; r >= 0 && i < diagnostics.n_items; i++) {
            _cleanup_(freep) char *line = diagnostic_format(&diagnostics.items[i]);
            r = line ? strv_append(&errors, line) : -ENOMEM;
        }
    }
    diagnostics_done(&diagnostics);
    if (r >= 0)
        set_errors(e, take_ptr(errors));
    return r;
}

static const char *distrust(const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "belongs to a user who may not declare pods; it must belong to root";
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return "may be written by others than its owner; chmod go-w it";
    return NULL;
}

/*
 * True while somebody has the file open for writing: the kernel grants a read lease only when nobody has. Where it
 * cannot tell, false. Whoever opens the file for writing while we hold the lease waits until we let go, a moment
 * later; we are told by SIGIO, which definitions_new() has set to be ignored.
 */
static bool being_written(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
        return errno == EAGAIN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
}

/* What is wrong with an open file, NULL: nothing. */
static const char *objection(const Definitions *d, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "is not a regular file";
    if (d->trusted_only && distrust(&st))
        return distrust(&st);
    return being_written(fd) ? "is being written" : NULL;
}

static int load_open(Definitions *d, Entry *e, const char *file, int fd)
{
    char content[SHA256_TEXT_SIZE];
    Bytes text = { 0 };
    const char *why = objection(d, fd);

    if (why)
        return set_error(e, file, why);
    int r = file_read_fd(fd, POD_FILE_SIZE_MAX, &text);
    if (r < 0)
        return set_error(e, file, r == -EFBIG ? "is larger than a pod file can be (1M)" : strerror(-r));
    sha256_text(text.data, text.size, content);
    if (!streq(content, e->content)) {
        r = parse(d, e, file, &text);
        memcpy(e->content, content, sizeof content);
    }
    if (r < 0)
        e->content[0] = 0;
    bytes_done(&text);
    return r;
}

/* 1: the file decides; 0: it is not there; -ENOMEM. */
static int load(Definitions *d, Entry *e, size_t directory, int dir, const char *file_name)
{
    _cleanup_(freep) char *file = strf("%s/%s", d->directories[directory], file_name);
    /* Without waiting for the writer of a FIFO. */
    _cleanup_(closep) int fd = file_open_at(dir, file_name, O_RDONLY | O_NONBLOCK, 0);

    if (!file)
        return -ENOMEM;
    if (fd == -ENOENT)
        return 0;
    if (!streq_ptr(e->definition.file, file))
        e->content[0] = 0;
    int r = set_place(e, (ssize_t)directory, file);
    if (r < 0)
        return r;
    if (fd == -ELOOP)
        r = set_error(e, file,
                      "is a symbolic link; only one to /dev/null has a meaning here: it masks the pod");
    else if (fd < 0)
        r = set_error(e, file, strerror(-fd));
    else
        r = load_open(d, e, file, fd);
    return r < 0 ? r : 1;
}

/* --- one name in all directories --------------------------------------------------------------------------------- */

static bool masked(int dir, const char *file_name)
{
    char target[sizeof "/dev/null"];

    ssize_t n = readlinkat(dir, file_name, target, sizeof target);
    return n == sizeof target - 1 && memcmp(target, "/dev/null", (size_t)n) == 0;
}

static int directory_open(const Definitions *d, size_t i)
{
    struct stat st;
    _cleanup_(closep) int fd = dir_open_at(AT_FDCWD, d->directories[i]);

    if (fd >= 0 && d->trusted_only && (fstat(fd, &st) < 0 || distrust(&st)))
        return -EPERM;
    return take_fd(&fd);
}

static const char *directory_error(int error)
{
    switch (error) {
    case -ENOENT:
        return "is gone, which says nothing about the pods that it declared; make it again, without the "
               "file, "
               "to end the pod";
    case -EPERM:
        return "may be written by others than root";
    default:
        return strerror(-error);
    }
}

/* 1: decided; 0: the next directory is to be asked. */
static int ask_directory(Definitions *d, Entry *e, size_t i, const char *file_name)
{
    _cleanup_(closep) int dir = directory_open(d, i);

    if (dir < 0 && e->definition.declared && e->directory == (ssize_t)i) {
        int r = set_error(e, d->directories[i], directory_error(dir));
        return r < 0 ? r : 1;
    }
    if (dir < 0)
        return 0;
    if (!masked(dir, file_name))
        return load(d, e, i, dir, file_name);
    e->changed |= e->definition.declared;
    e->definition.declared = false;
    return 1;
}

static void tell(Definitions *d, Entry *e)
{
    bool changed = e->changed;

    e->changed = false;
    if (changed)
        d->func(d->userdata, &e->definition);
    if (!e->definition.declared)
        entry_remove(d, e);
}

static int scan_entry(Definitions *d, Entry *e, const char *file_name)
{
    int r = 0;

    for (size_t i = 0; r == 0 && d->directories[i]; i++)
        r = ask_directory(d, e, i, file_name);
    if (r == 0) {
        e->changed |= e->definition.declared;
        e->definition.declared = false;
    }
    tell(d, e);
    return r < 0 ? r : 0;
}

int definitions_scan_file(Definitions *d, const char *file_name)
{
    _cleanup_(freep) char *name = d->kind->name_from_file(file_name);

    if (!name)
        return 0;
    Entry *e = entry_add(d, name);
    return e ? scan_entry(d, e, file_name) : -ENOMEM;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

/* The name may be of any bytes, and the errors go to terminals and over D-Bus. */
static int add_stray(Definitions *d, size_t i, const char *file_name)
{
    _cleanup_(freep) char *shown = str_escape(file_name, strlen(file_name));

    if (!shown)
        return -ENOMEM;
    return strv_appendf(&d->strays, "%s/%s: a %s's file is named after its %s: %s, with .%s behind it",
                        d->directories[i], shown, d->kind->word, d->kind->word,
                        "a-z, 0-9 and -, at most 63 characters, no - at the ends", d->kind->word);
}

static bool has_ending(const char *file_name, const Kind *kind)
{
    const char *dot = strrchr(file_name, '.');

    return dot && streq(dot + 1, kind->word);
}

/* Entries for all names of a directory; what looks like a pod and is none becomes a stray. */
static int collect(Definitions *d, size_t i)
{
    int fd = directory_open(d, i);
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return strv_appendf(&d->strays, "%s: %s", d->directories[i], directory_error(fd));
    _cleanup_(closedirp) DIR *dir = fdopendir(fd);
    if (!dir) {
        safe_close(fd);
        return -ENOMEM;
    }

    int r = 0;
    for (struct dirent *entry; r >= 0 && (entry = readdir(dir));) {
        _cleanup_(freep) char *name = d->kind->name_from_file(entry->d_name);
        if (name)
            r = entry_add(d, name) ? 0 : -ENOMEM;
        else if (*entry->d_name != '.' && has_ending(entry->d_name, d->kind))
            r = add_stray(d, i, entry->d_name);
    }
    return r;
}

int definitions_scan(Definitions *d)
{
    int r = 0;

    d->strays = strv_free(d->strays);
    for (size_t i = 0; r >= 0 && d->directories[i]; i++)
        r = collect(d, i);
    for (size_t i = 0; r >= 0 && i < d->n_entries;) {
        Entry *e = d->entries[i];
        _cleanup_(freep) char *file_name = strf("%s.%s", e->definition.name, d->kind->word);
        r = file_name ? scan_entry(d, e, file_name) : -ENOMEM;
        /* One that is not declared any more has left the table. */
        if (i < d->n_entries && d->entries[i] == e)
            i++;
    }
    return r;
}

int definitions_know(Definitions *d, const char *name, const char *file, const PodDefinition *pod)
{
    Entry *e = entry_add(d, name);
    if (!e)
        return -ENOMEM;
    for (size_t i = 0; file && d->directories[i]; i++) {
        const char *rest = str_after(file, d->directories[i]);
        if (rest && *rest == '/' && !strchr(rest + 1, '/'))
            e->directory = (ssize_t)i;
    }
    e->definition.declared = true;
    e->changed = true;
    int r = str_replace(&e->definition.file, file);
    if (r < 0 || !pod)
        return r;
    DefinitionContent copy;
    r = schema_copy(&pod_schema, pod, &copy);
    return r < 0 ? r : set_content(d, e, &copy);
}

char **definitions_errors(const Definitions *d)
{
    char **all = strv_copy(d->strays);

    for (size_t i = 0; i < d->n_entries; i++)
        STRV_FOREACH (error, d->entries[i]->definition.errors)
            (void)strv_append(&all, *error);
    return all;
}

int definitions_new(Definitions **ret, DefinitionKind kind, char *const *directories, bool trusted_only,
                    DefinitionsFunc func, void *userdata)
{
    _cleanup_(definitions_freep) Definitions *d = calloc(1, sizeof *d);

    if (!d || !(d->directories = strv_copy(directories)))
        return -ENOMEM;
    /* See being_written(). */
    if (signal(SIGIO, SIG_IGN) == SIG_ERR)
        return -errno;
    d->kind = &kinds[kind];
    d->trusted_only = trusted_only;
    d->func = func;
    d->userdata = userdata;
    *ret = take_ptr(d);
    return 0;
}

void definitions_allow(Definitions *d, AbilitySettings settings)
{
    d->settings = settings;
}

Definitions *definitions_free(Definitions *d)
{
    if (!d)
        return NULL;
    for (size_t i = 0; i < d->n_entries; i++)
        entry_free(d, d->entries[i]);
    free(d->entries);
    strv_free(d->directories);
    strv_free(d->strays);
    free(d);
    return NULL;
}
