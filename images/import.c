/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/strings.h"
#include "images/import-internal.h"

DEFINE_ENUM_TABLE(import_phase, "import phase", IMPORT_PHASE_MAX, [IMPORT_UNPACK] = { "unpack", "unpacking" },
                  [IMPORT_CHECK] = { "check", "looking at what it holds" },
                  [IMPORT_PACK] = { "pack", "making one read-only file of it" },
                  [IMPORT_DIGEST] = { "digest", "computing its digest" },
                  [IMPORT_STORE] = { "store", "putting it into the store" });

static const ChildProgram program_mkfs = { "mkfs.erofs", "erofs-utils" };

static const usec_t default_stall_timeout = 2 * USEC_PER_MINUTE;

static int report(Import *import, uint64_t done)
{
    const ImportOptions *options = import->options;

    return options->progress ? options->progress(options->userdata, import->phase, done, import->total) : 0;
}

int import_tick(Import *import, uint64_t done)
{
    enum { RESERVED_PART = 64 };
    const uint64_t reserved_max = UINT64_C(1) << 30;
    struct statvfs disk;

    if (fstatvfs(import->work->fd, &disk) == 0) {
        uint64_t reserved = MIN(disk.f_blocks / RESERVED_PART, reserved_max / MAX(disk.f_frsize, 1UL));
        if (disk.f_bavail < reserved || disk.f_favail < disk.f_files / RESERVED_PART)
            return -ENOSPC;
    }
    return report(import, done);
}

static int enter_phase(Import *import, ImportPhase phase, uint64_t total)
{
    import->phase = phase;
    import->total = total;
    return report(import, 0);
}

int import_run(Import *import, const Child *child, char **ret_error)
{
    Child c = *child;

    c.path = import->options->programs;
    c.kept = import->work->fd;
    c.file_max = import->options->size_max ?: IMPORT_SIZE_MAX;
    c.failure = -EBADMSG;
    c.stall_timeout = import->options->stall_timeout ?: default_stall_timeout;
    c.userdata = import;
    return child_run(&c, ret_error);
}

int import_words(char ***v, const char *const *words, size_t n)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < n; i++)
        r = strv_append(v, words[i]);
    return r;
}

/* --- checking ------------------------------------------------------------------------------------------------------ */

static const struct {
    int error;
    const char *what;
} survey_failures[] = {
    { -EXDEV,
      "another file system is mounted there; unmount it, or import a tar made with --one-file-system" },
    { -ELOOP, "the image store lies in there" },
    { -ENAMETOOLONG, "directories are nested too deep" },
    { -EACCES, "this user cannot read it; import as root" },
    { -E2BIG, "there are more files in it than an image may have" },
};

/* Before a sparse file of terabytes becomes so many zeros. */
static int check_room(const Import *import, char **ret_error)
{
    uint64_t size = import->survey.size, most = import->options->size_max ?: IMPORT_SIZE_MAX;
    struct statvfs disk;

    if (fstatvfs(import->work->fd, &disk) < 0)
        return -errno;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    _cleanup_(freep) char *needed = size_format(size);
    _cleanup_(freep) char *limit = size_format(size > most ? most : room);
    if (size > most)
        return image_fail(
            ret_error, -EFBIG,
            "\"%s\" cannot be imported: its files have %s, more than the %s that an image may have",
            import->options->source, needed ?: "?", limit ?: "?");
    if (size > room)
        return image_fail(ret_error, -ENOSPC,
                          "the disk of the image store is full: \"%s\" needs %s, and %s are left",
                          import->options->source, needed ?: "?", limit ?: "?");
    return 0;
}

static int survey(Import *import, char **ret_error)
{
    struct stat store;
    _cleanup_(freep) char *where = NULL;

    if (fstat(import->store->root, &store) < 0)
        return -errno;
    const TreeLimits limits = { .born = import->born,
                                .store_device = store.st_dev,
                                .store_inode = store.st_ino,
                                .readable = geteuid() != 0,
                                .entries_max = import->options->entries_max ?: IMPORT_ENTRIES_MAX };
    int r = tree_survey(import->tree, &limits, &import->survey, &where);
    if (r >= 0)
        return import->survey.n_entries > 0
                   ? check_room(import, ret_error)
                   : image_fail(ret_error, -ENODATA, "\"%s\" holds no files", import->options->source);
    _cleanup_(freep) char *escaped = str_escape(where ?: "?", strlen(where ?: "?"));
    TABLE_FOREACH (row, survey_failures)
        if (row->error == r)
            return image_fail(ret_error, r, "\"%s\" cannot be imported: %s: %s", import->options->source,
                              escaped ?: "?", row->what);
    return image_fail_errno(ret_error, r, "\"%s\" cannot be imported: %s", import->options->source,
                            escaped ?: "?");
}

/* A processor runs its own programs and, on amd64, those of its ancestor. */
static bool architecture_runs(const char *host, const char *image)
{
    return streq(host, image) || (streq(host, "amd64") && streq(image, "386"));
}

static int check_architecture(Import *import, char **ret_error)
{
    const ImageConfig *config = &import->record.config;
    const char *wanted = import->options->architecture ?: host_architecture();
    const char *first = config->entrypoint ? config->entrypoint[0]
                        : config->command  ? config->command[0]
                                           : NULL;
    const char *program, *found = tree_architecture(import->tree, first, &program);

    if (found && !architecture_runs(wanted, found))
        return image_fail(ret_error, -ENOEXEC,
                          "\"%s\" is an image for %s, as its %s shows; this host runs %s",
                          import->options->source, streq(found, "unknown") ? "another architecture" : found,
                          program, wanted);
    return str_replace(&import->record.architecture, found ?: import->architecture);
}

/* --- packing ------------------------------------------------------------------------------------------------------- */

static int override_strings(char ***to, char *const *from)
{
    if (!from)
        return 0;
    char **copy = strv_copy(from);
    if (!copy)
        return -ENOMEM;
    strv_free(*to);
    *to = copy;
    return 0;
}

static int override_config(ImageConfig *config, const ImageConfig *with)
{
    int r;

    if (!with)
        return 0;
    /* Another program has no use for the arguments of the first; container tools do so too. */
    if (with->entrypoint)
        config->command = strv_free(config->command);
    if ((r = override_strings(&config->entrypoint, with->entrypoint)) < 0 ||
        (r = override_strings(&config->command, with->command)) < 0 ||
        (r = override_strings(&config->environment, with->environment)) < 0 ||
        (with->user && (r = str_replace(&config->user, with->user)) < 0) ||
        (with->working_dir && (r = str_replace(&config->working_dir, with->working_dir)) < 0) ||
        (with->stop_signal && (r = str_replace(&config->stop_signal, with->stop_signal)) < 0))
        return r;
    return 0;
}

/* A file system's UUID that stands for the configuration, so that the digest does too. */
static int config_uuid(const ImageConfig *config, char ret[ID128_TEXT_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    Id128 id;

    int r = schema_to_bytes(&image_config_schema, config, &bytes);
    if (r < 0)
        return r;
    sha256(bytes.data, bytes.size, digest);
    memcpy(id.bytes, digest, sizeof id.bytes);
    id128_format(id, ret);
    return 0;
}

static int tick_pack(void *userdata)
{
    Import *import = userdata;
    struct stat st;

    return import_tick(import, fstatat(import->work->fd, WORK_IMAGE_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0
                                   ? 0
                                   : (uint64_t)st.st_size);
}

static int run_mkfs(Import *import, char **ret_error)
{
    static const char *const all_root[] = { "--all-root", "-x-1" };
    char uuid[ID128_TEXT_SIZE];
    const char *const words[] = { "mkfs.erofs", "-d1", "--quiet", "-U", uuid };
    const char *const places[] = { CHILD_KEPT_PATH "/" WORK_IMAGE_FILE, "." };
    _cleanup_(strv_freep) char **arguments = NULL;
    _cleanup_(strv_freep) char **environment = NULL;

    int r = config_uuid(&import->record.config, uuid);
    if (r >= 0)
        r = import_words(&arguments, words, ELEMENTSOF(words));
    if (r >= 0 && import->all_root)
        r = import_words(&arguments, all_root, ELEMENTSOF(all_root));
    if (r >= 0)
        r = import_words(&arguments, places, ELEMENTSOF(places));
    if (r >= 0)
        r = strv_appendf(&environment, "SOURCE_DATE_EPOCH=%jd", (intmax_t)import->survey.newest);
    if (r < 0)
        return r;
    return import_run(import,
                      &(Child){ .program = &program_mkfs,
                                .arguments = arguments,
                                .environment = environment,
                                .input = -1,
                                .output = -1,
                                .directory = import->tree,
                                .tick = tick_pack },
                      ret_error);
}

/* --- the end --------------------------------------------------------------------------------------------------------- */

/* The bytes are on disk, nobody writes them again, and the record says what they are. */
static int seal(Import *import, char **ret_error)
{
    struct stat st = { 0 };
    char hex[SHA256_TEXT_SIZE], digest[IMAGE_DIGEST_TEXT_SIZE];

    _cleanup_(closep) int fd = file_open_at(import->work->fd, WORK_IMAGE_FILE, O_RDONLY, 0);
    int r = fd < 0 ? fd : sha256_text_fd(fd, hex);
    if (r >= 0 && (fchmod(fd, 0400) < 0 || fsync(fd) < 0 || fstat(fd, &st) < 0))
        r = -errno;
    if (r < 0)
        return image_fail_errno(ret_error, r, "the packed image cannot be read back");
    image_digest_format(hex, digest);
    import->record.size = (uint64_t)st.st_size;
    import->record.created = now_usec(CLOCK_REALTIME);
    return str_replace(&import->record.digest, digest);
}

static int import_steps(Import *import, char **ret_error)
{
    const ImportSource *source = &import->source;
    int r;

    if ((r = enter_phase(import, IMPORT_UNPACK, source->kind == SOURCE_ARCHIVE ? source->size : 0)) < 0 ||
        (r = import_unpackers[source->kind](import, ret_error)) < 0 ||
        (r = enter_phase(import, IMPORT_CHECK, 0)) < 0 || (r = survey(import, ret_error)) < 0 ||
        (r = override_config(&import->record.config, import->options->config)) < 0 ||
        (r = check_architecture(import, ret_error)) < 0 ||
        (r = enter_phase(import, IMPORT_PACK, import->survey.size)) < 0 ||
        (r = run_mkfs(import, ret_error)) < 0 || (r = enter_phase(import, IMPORT_DIGEST, 0)) < 0 ||
        (r = seal(import, ret_error)) < 0 || (r = enter_phase(import, IMPORT_STORE, 0)) < 0)
        return r;
    return image_work_publish(import->work, &import->record, import->name, ret_error);
}

static void import_done(Import *import)
{
    safe_close(import->tree);
    safe_close(import->source.blobs);
    safe_close(import->source.fd);
    image_work_free(import->work);
    image_record_done(&import->record);
    free(import->architecture);
}

/* Where an error has no sentence of its own yet, errno's is better than none. */
static int explain_rest(const ImportOptions *options, int r, char **error, char **ret_error)
{
    if (*error && ret_error)
        *ret_error = take_ptr(*error);
    else if (r == -ENOSPC)
        return image_fail(ret_error, r,
                          "the disk of the image store is full, or would be: \"%s\" was given up",
                          options->source);
    else if (ret_error && r < 0)
        return image_fail_errno(ret_error, r, "\"%s\" cannot be imported", options->source);
    return r;
}

int import_into(ImageWork *work, const ImportSource *source, const ImportOptions *options,
                ImageNameRecord *name, ImageRecord *ret, char **ret_error)
{
    _cleanup_(freep) char *error = NULL;
    _cleanup_(import_done) Import import = {
        .options = options,
        .store = work->store,
        .work = work,
        .source = *source,
        .tree = -1,
        .all_root = options->all_root || geteuid() != 0,
        .name = name,
    };
    int r;

    if ((r = schema_init(&image_record_schema, &import.record)) < 0 ||
        (r = str_replace(&import.record.source, options->source)) < 0 ||
        (r = import_steps(&import, &error)) < 0)
        return explain_rest(options, r, &error, ret_error);
    if (ret)
        *ret = take_struct(import.record);
    return 0;
}

static int check_name(const char *name, char **ret, char **ret_error)
{
    int r = image_name_canonical(name, ret);

    if (r < 0)
        return image_fail(
            ret_error, r,
            "\"%s\" cannot be a name of an image; names look like \"busybox\" or \"example.org/app:1.2\"",
            name);
    return image_name_pin(name)
               ? image_fail(ret_error, -EINVAL,
                            "\"%s\" cannot be given as a name: only what is pulled is named by "
                            "the digest of a registry",
                            name)
               : 0;
}

int image_import(ImageStore *store, const ImportOptions *options, ImageRecord *ret, char **ret_error)
{
    _cleanup_(image_name_record_done) ImageNameRecord name = { 0 };
    _cleanup_(freep) char *error = NULL;
    ImportSource source;
    ImageWork *work;

    int r = check_name(options->name, &name.name, ret_error);
    if (r < 0)
        return r;
    if ((r = import_source_open(options->source, &source, &error)) < 0)
        return explain_rest(options, r, &error, ret_error);
    if ((r = image_work_new(store, &work)) < 0) {
        safe_close(source.fd);
        return explain_rest(options, r, &error, ret_error);
    }
    return import_into(work, &source, options, &name, ret, ret_error);
}
