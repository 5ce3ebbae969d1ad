/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up, listing, naming, removing: in sunshine, with damage, and while somebody uses an image. */
#include <sys/file.h>
#include <sys/stat.h>

#include "images/store-internal.h"
#include "tests/unit/images/fixture.h"

/* A small image with this word in it. */
static char *image_with(Fixture *f, const char *word, const char *name)
{
    shell("rm -rf source; mkdir source; echo '%s' >source/word; touch -d 2021-01-01 source/word source",
          word);
    return import_ok(f, "source", name);
}

static void assert_lookup_fails(Fixture *f, const char *reference, int error, const char *words)
{
    char *sentence = NULL;

    int r = image_lookup(f->store, reference, NULL, NULL, &sentence);
    if (r != error || !sentence || !strstr(sentence, words))
        fail_msg("lookup of %s: %d, %s", reference, r, sentence ?: "no sentence");
    free(sentence);
}

static void assert_lookup(Fixture *f, const char *reference, const char *digest)
{
    ImageRecord record;
    char *sentence = NULL;

    int r = image_lookup(f->store, reference, &record, NULL, &sentence);
    if (r < 0)
        fail_msg("lookup of %s: %s", reference, sentence);
    assert_string_equal(record.digest, digest);
    image_record_done(&record);
}

static void an_image_is_found_by_name_digest_and_beginning(void **state)
{
    Fixture *f = *state;
    char short_digest[20];
    _cleanup_(freep) char *digest = image_with(f, "one", "registry.example:5000/a/b:tag");

    assert_lookup(f, "registry.example:5000/a/b:tag", digest);
    assert_lookup(f, digest, digest);
    assert_lookup(f, digest + strlen("sha256:"), digest);
    snprintf(short_digest, sizeof short_digest, "%.*s", (int)strlen("sha256:") + 1, digest);
    assert_lookup(f, short_digest, digest);
    snprintf(short_digest, sizeof short_digest, "%.*s", IMAGE_DIGEST_PREFIX_MIN, digest + strlen("sha256:"));
    assert_lookup(f, short_digest, digest);
}

static void latest_is_what_no_tag_means(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *digest = image_with(f, "one", "app:latest");

    assert_lookup(f, "app", digest);
    assert_lookup(f, "app:latest", digest);
    assert_lookup_fails(f, "app:1", -ENOENT, "there is no image \"app:1\"");
}

static void what_is_not_there_is_told_with_what_was_meant(void **state)
{
    Fixture *f = *state;
    free(image_with(f, "one", "busybox"));

    assert_lookup_fails(f, "busybux", -ENOENT, "did you mean \"busybox\"?");
    assert_lookup_fails(f, "entirely-else", -ENOENT, "`podvisor image import` adds one");
    assert_lookup_fails(f, "sha256:0000000000", -ENOENT, "there is no image");
    assert_lookup_fails(f, "../etc/passwd", -EINVAL, "is no name");
    assert_lookup_fails(f, "\033[31m", -EINVAL, "\"\\x1b[31m\" is no name");
}

static void a_beginning_of_several_is_refused(void **state)
{
    Fixture *f = *state;
    char digests[17][IMAGE_DIGEST_TEXT_SIZE], prefix[16];

    /* Of 17 digests two begin with the same digit. */
    for (int i = 0; i < 17; i++) {
        char word[8];
        snprintf(word, sizeof word, "%d", i);
        _cleanup_(freep) char *digest = image_with(f, word, "x");
        memcpy(digests[i], digest, sizeof digests[i]);
        for (int j = 0; j < i; j++) {
            size_t n = strlen("sha256:") + 1;
            if (strncmp(digests[j], digest, n) != 0)
                continue;
            snprintf(prefix, sizeof prefix, "%.*s", (int)n, digest);
            assert_lookup_fails(f, prefix, -ENOTUNIQ, "give more digits");
            return;
        }
    }
    fail();
}

static void a_store_that_is_not_there_is_empty_for_readers(void **state)
{
    ImageStore *store;
    ImageList list;
    char *error = NULL;
    shell("mkdir elsewhere");
    _cleanup_(closep) int dir = dir_open_at(AT_FDCWD, "elsewhere");

    assert_success(image_store_open(dir, IMAGE_READ, &store, NULL));
    assert_int_equal(image_lookup(store, "x", NULL, NULL, &error), -ENOENT);
    assert_success(image_list(store, &list, NULL));

    assert_int_equal(list.n_images, 0);
    shell("rmdir elsewhere"); /* and stays so */
    image_list_done(&list);
    image_store_free(store);
    free(error);
}

static void a_name_moves_to_the_image_that_was_imported_last(void **state)
{
    Fixture *f = *state;
    ImageList list;
    _cleanup_(freep) char *first = image_with(f, "one", "app");
    _cleanup_(freep) char *second = image_with(f, "two", "app");

    assert_lookup(f, "app", second);
    assert_lookup(f, first, first);
    assert_success(image_list(f->store, &list, NULL));

    assert_int_equal(list.n_images, 2);
    assert_string_equal(list.images[0].record.digest, second);
    assert_string_equal(list.images[0].names[0], "app");
    assert_null(list.images[1].names);
    image_list_done(&list);
}

static void the_list_is_sorted_and_says_what_is_in_use(void **state)
{
    Fixture *f = *state;
    int fd;
    ImageList list;
    free(image_with(f, "b", "b"));
    free(image_with(f, "a", "z"));
    assert_success(image_tag(f->store, "z", "a/nother:1", NULL));
    assert_success(image_lookup(f->store, "b", NULL, &fd, NULL));

    assert_success(image_list(f->store, &list, NULL));

    assert_int_equal(list.n_images, 2);
    assert_string_equal(list.images[0].names[0], "a/nother:1");
    assert_string_equal(list.images[0].names[1], "z");
    assert_false(list.images[0].in_use);
    assert_true(list.images[1].in_use);
    assert_true(list.images[1].record.size > 0);
    assert_string_equal(list.images[1].record.source, "source");
    image_list_done(&list);
    close(fd);
}

static void removing_a_name_keeps_the_image_for_the_others(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *digest = image_with(f, "one", "one");
    assert_success(image_tag(f->store, "one", "two", NULL));

    assert_success(image_remove(f->store, "one", NULL));
    assert_lookup_fails(f, "one", -ENOENT, "no image");
    assert_lookup(f, "two", digest);
    assert_success(image_remove(f->store, "two", NULL));

    assert_int_equal(count_images(f), 0);
    shell("[ -z \"$(ls state/images/blobs state/images/names | grep -v :$)\" ]");
}

static void removing_by_digest_takes_all_names(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *digest = image_with(f, "one", "one");
    assert_success(image_tag(f->store, "one", "two", NULL));

    assert_success(image_remove(f->store, digest, NULL));

    shell("[ -z \"$(ls state/images/blobs state/images/names | grep -v :$)\" ]");
}

static void an_image_in_use_is_not_removed(void **state)
{
    Fixture *f = *state;
    int fd;
    char *error = NULL, self[64];
    _cleanup_(freep) char *digest = image_with(f, "one", "one");
    assert_success(image_lookup(f->store, "one", NULL, &fd, NULL));

    assert_int_equal(image_remove(f->store, "one", &error), -EBUSY);

    snprintf(self, sizeof self, "is in use by process %d (test-image-stor", getpid());
    assert_non_null(strstr(error, self));
    assert_lookup(f, "one", digest);
    close(fd);
    assert_success(image_remove(f->store, "one", NULL));
    free(error);
}

static void a_program_that_inherited_the_image_keeps_it(void **state)
{
    Fixture *f = *state;
    int fd;
    free(image_with(f, "one", "one"));
    assert_success(image_lookup(f->store, "one", NULL, &fd, NULL));
    int copy = dup(fd); /* without close-on-exec */
    close(fd);
    shell("mkfifo gate; cat gate >/dev/null & echo $! >pid");
    close(copy);

    assert_int_equal(image_remove(f->store, "one", NULL), -EBUSY);

    shell("echo >gate; while kill -0 $(cat pid) 2>/dev/null; do :; done");
    assert_success(image_remove(f->store, "one", NULL));
}

static void what_was_removed_stays_readable_for_who_had_it(void **state)
{
    Fixture *f = *state;
    int fd;
    char before[SHA256_TEXT_SIZE];
    _cleanup_(freep) char *digest = image_with(f, "one", "one");
    assert_success(image_lookup(f->store, "one", NULL, &fd, NULL));
    assert_int_equal(flock(fd, LOCK_UN), 0);

    assert_success(image_remove(f->store, "one", NULL));

    assert_success(sha256_text_fd(fd, before));
    assert_string_equal(before, digest + strlen("sha256:"));
    close(fd);
}

#define ZEROS "000000000000000000000000000000000000000000000000000000000000000" /* and one digit */

static void prune_removes_what_has_no_name_and_no_user(void **state)
{
    Fixture *f = *state;
    int fd;
    ImagePruned pruned;
    _cleanup_(freep) char *used = image_with(f, "used", "app");
    _cleanup_(freep) char *old = image_with(f, "old", "app");
    _cleanup_(freep) char *named = image_with(f, "named", "app");
    assert_success(image_lookup(f->store, used, NULL, &fd, NULL));

    assert_success(image_prune(f->store, &(PruneOptions){ .dry_run = true }, &pruned, NULL));
    assert_int_equal(pruned.images.n_images, 1);
    image_pruned_done(&pruned);
    assert_int_equal(count_images(f), 3);
    assert_success(image_prune(f->store, &(PruneOptions){ 0 }, &pruned, NULL));

    assert_int_equal(pruned.images.n_images, 1);
    assert_string_equal(pruned.images.images[0].record.digest, old);
    image_pruned_done(&pruned);
    assert_int_equal(count_images(f), 2);
    assert_lookup(f, "app", named);
    close(fd);
}

static void prune_by_age_leaves_what_is_younger(void **state)
{
    Fixture *f = *state;
    ImagePruned pruned;
    const PruneOptions old = { .older_than = USEC_PER_HOUR };
    free(image_with(f, "old", "app"));
    free(image_with(f, "new", "app"));
    shell(
        "mkdir state/images/cache/sha256; cd state/images/cache/sha256\n"
        "for d in 0 1; do echo $d >$(printf '%%064d' $d); done; touch -d '2 hours ago' $(printf '%%064d' 0)");

    assert_success(image_prune(f->store, &old, &pruned, NULL));
    assert_int_equal(pruned.images.n_images, 0);
    assert_int_equal(pruned.cached_size, 2);
    image_pruned_done(&pruned);

    assert_int_equal(count_images(f), 2);
    _cleanup_(freep) char *left = shell_output("ls state/images/cache/sha256 | tail -c 2");
    assert_string_equal(left, "1");
}

static void layers_of_an_image_are_only_pruned_when_it_is_said(void **state)
{
    Fixture *f = *state;
    char *blobs[] = { (char *)"sha256:" ZEROS "1", NULL };
    ImageNameRecord name = { .name = (char *)"app", .blobs = blobs };
    ImageCache cache;
    ImagePruned pruned;
    name.digest = image_with(f, "app", "app");
    assert_success(store_write_name(f->store, &name));
    free(name.digest);
    shell("mkdir state/images/cache/sha256; cd state/images/cache/sha256; for d in 0 1; do echo x >" ZEROS
          "$d; done; echo x >junk");

    assert_success(image_cache_look(f->store, &cache, NULL));
    assert_int_equal(cache.size, 4);
    assert_int_equal(cache.unused, 2);
    assert_success(image_prune(f->store, &(PruneOptions){ 0 }, &pruned, NULL));
    image_pruned_done(&pruned);
    shell("[ ! -e state/images/cache/sha256/" ZEROS "0 ] && [ -e state/images/cache/sha256/" ZEROS "1 ]");
    assert_success(image_prune(f->store, &(PruneOptions){ .cached = true }, &pruned, NULL));
    image_pruned_done(&pruned);
    shell("[ ! -e state/images/cache/sha256/" ZEROS "1 ]");
}

static void a_pinned_name_is_not_for_tagging(void **state)
{
    Fixture *f = *state;
    char *error = NULL;
    free(image_with(f, "app", "app"));

    assert_int_equal(image_tag(f->store, "app", "app@sha256:" ZEROS "0", &error), -EINVAL);
    assert_non_null(strstr(error, "only what is pulled"));
    free(error);
}

/* --- damage ------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *title, *damage; /* $b: the image, $r: its record, $n: its name */
    const char *lookup;         /* words of what a lookup by name says; NULL: nothing yet */
    const char *verify;
    const char *listed; /* words of the list's problem; NULL: none, or not in the list */
} damages[] = {
    { "a flipped bit", "chmod u+w $b; printf x | dd of=$b bs=1 seek=2000 conv=notrunc status=none", NULL,
      "its content is not sha256:", NULL },
    { "a cut image", "chmod u+w $b; truncate -s 1000 $b", "instead of", "instead of", "another size" },
    { "an image that is a directory", "rm $b; mkdir $b", "damaged", "damaged", "cannot be read" },
    { "an image that is a FIFO", "rm $b; mkfifo $b", "damaged", "damaged", "cannot be read" },
    { "an image that is a link", "mv $b b; ln -s $PWD/b $b", "damaged", "damaged", "cannot be read" },
    { "an image that is gone", "rm $b", "missing", "missing", NULL },
    { "a cut record", "truncate -s 20 $r", "record of the image \"app\" is damaged", "damaged",
      "its record is damaged" },
    { "an empty record", ": >$r", "is damaged", "damaged", "its record is damaged" },
    { "a record that is gone", "rm $r", "is damaged", "damaged", "its record is damaged" },
    { "a record of another image", "cp other.msgpack $r", "is damaged", "damaged", "its record is damaged" },
    { "a cut name", "truncate -s 5 $n", "record of the name \"app\" is damaged", "damaged", NULL },
    { "a name of another", "cp state/images/names/other $n", "record of the name", "damaged", NULL },
};

static const char *problem_of(const ImageList *list, const char *digest)
{
    for (size_t i = 0; i < list->n_images; i++)
        if (streq(list->images[i].record.digest, digest))
            return list->images[i].problem;
    return NULL;
}

static void damage_is_told_and_hides_no_other_image(void **state)
{
    Fixture *f = *state;

    TABLE_FOREACH (row, damages) {
        char *error = NULL;
        ImageList list;
        print_message("           %s\n", row->title);
        _cleanup_(freep) char *other = image_with(f, "other", "other");
        _cleanup_(freep) char *digest = image_with(f, "app", "app");
        shell("cp state/images/blobs/sha256-%s.msgpack other.msgpack; base=state/images/blobs/sha256-%s; "
              "b=$base.erofs; "
              "r=$base.msgpack; n=state/images/names/app; %s",
              other + strlen("sha256:"), digest + strlen("sha256:"), row->damage);

        if (row->lookup)
            assert_lookup_fails(f, "app", streq(row->lookup, "missing") ? -ENOENT : -EBADMSG, row->lookup);
        assert_true(image_verify(f->store, "app", &error) < 0);
        assert_non_null(strstr(error, row->verify));
        assert_success(image_list(f->store, &list, NULL));
        const char *problem = problem_of(&list, digest);
        assert_true(row->listed ? problem && strstr(problem, row->listed) : !problem);
        assert_success(image_verify(f->store, "other", NULL));

        image_list_done(&list);
        free(error);
        shell("rm -rf state/images/blobs/* state/images/names/* b other.msgpack");
    }
}

static void a_damaged_image_can_be_removed_and_imported_again(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *first = image_with(f, "app", "app");
    shell("chmod u+w state/images/blobs/*; truncate -s 1 state/images/blobs/*");

    assert_success(image_remove(f->store, "app", NULL));
    assert_int_equal(count_images(f), 0);
    _cleanup_(freep) char *second = image_with(f, "app", "app");

    assert_string_equal(first, second);
    assert_success(image_verify(f->store, "app", NULL));
}

static void an_import_heals_a_cut_image(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *first = image_with(f, "app", "app");
    shell("chmod u+w state/images/blobs/*; truncate -s 1 state/images/blobs/*");

    _cleanup_(freep) char *second = image_with(f, "app", "app");

    assert_string_equal(first, second);
    assert_success(image_verify(f->store, "app", NULL));
}

static void fields_of_a_newer_version_are_read_over(void **state)
{
    Fixture *f = *state;
    ImageRecord record;
    free(image_with(f, "app", "app"));
    /* One more pair in the record's map (fixmap: its number of pairs is in the low four bits of the first byte). */
    shell("r=$(ls state/images/blobs/*.msgpack); n=$(od -An -tu1 -N1 $r); "
          "{ printf \"\\\\$(printf %%o $((n + 1)))\"; tail -c +2 $r; printf '\\246future\\052'; } >new; mv "
          "new $r");

    assert_success(image_lookup(f->store, "app", &record, NULL, NULL));

    assert_true(record.extra.size > 0);
    image_record_done(&record);
}

static void the_stores_lock_is_not_waited_for_by_readers_of_images(void **state)
{
    Fixture *f = *state;
    _cleanup_(freep) char *digest = image_with(f, "app", "app");
    _cleanup_(closep) int lock = open("state/images/lock", O_RDWR | O_CLOEXEC);

    assert_int_equal(flock(lock, LOCK_EX), 0);

    assert_lookup(f, "app", digest);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_image_is_found_by_name_digest_and_beginning),
        TEST(latest_is_what_no_tag_means),
        TEST(what_is_not_there_is_told_with_what_was_meant),
        TEST(a_beginning_of_several_is_refused),
        TEST(a_store_that_is_not_there_is_empty_for_readers),
        TEST(a_name_moves_to_the_image_that_was_imported_last),
        TEST(the_list_is_sorted_and_says_what_is_in_use),
        TEST(removing_a_name_keeps_the_image_for_the_others),
        TEST(removing_by_digest_takes_all_names),
        TEST(an_image_in_use_is_not_removed),
        TEST(a_program_that_inherited_the_image_keeps_it),
        TEST(what_was_removed_stays_readable_for_who_had_it),
        TEST(prune_removes_what_has_no_name_and_no_user),
        TEST(prune_by_age_leaves_what_is_younger),
        TEST(layers_of_an_image_are_only_pruned_when_it_is_said),
        TEST(a_pinned_name_is_not_for_tagging),
        TEST(damage_is_told_and_hides_no_other_image),
        TEST(a_damaged_image_can_be_removed_and_imported_again),
        TEST(an_import_heals_a_cut_image),
        TEST(fields_of_a_newer_version_are_read_over),
        TEST(the_stores_lock_is_not_waited_for_by_readers_of_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
