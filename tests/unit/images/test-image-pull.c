/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of a registry, and what of its answers is believed. tests/host/test-image-pull.py pulls from a real one; here is what that
 * cannot be brought to do.
 */
#include <stdio.h>

#include "base/file.h"
#include "images/image-reference.h"
#include "images/oci-manifest.h"
#include "images/pull-request.h"
#include "images/pull.h"
#include "tests/unit/images/fixture.h"

#define PIN "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* --- references ------------------------------------------------------------------------------------------------------ */

static void references_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *registry, *repository, *tag, *digest, *name;
    } rows[] = {
        { "example.org/app", "example.org", "example.org/app", "latest", NULL, "example.org/app" },
        { "example.org/a/b:1", "example.org", "example.org/a/b", "1", NULL, "example.org/a/b:1" },
        { "localhost/x:latest", "localhost", "localhost/x", "latest", NULL, "localhost/x" },
        { "localhost:5000/x", "localhost:5000", "localhost:5000/x", "latest", NULL, "localhost:5000/x" },
        { "h:1/x@" PIN, "h:1", "h:1/x", "latest", PIN, "h:1/x@" PIN },
        { "h:1/x:2@" PIN, "h:1", "h:1/x", "2", PIN, "h:1/x:2@" PIN },
    };
    TABLE_FOREACH (row, rows) {
        ImageReference reference;
        assert_success(image_reference_parse(row->text, &reference, NULL));
        assert_string_equal(reference.registry, row->registry);
        assert_string_equal(reference.repository, row->repository);
        assert_string_equal(reference.tag, row->tag);
        assert_true(streq_ptr(reference.digest, row->digest));
        assert_string_equal(reference.name, row->name);
        image_reference_done(&reference);
    }
}

static void what_is_no_reference_is_refused_with_what_was_meant(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        { "busybox", "did you mean \"docker.io/library/busybox\"?" },
        { "busybox:1@" PIN, "did you mean \"docker.io/library/busybox:1@" PIN "\"?" },
        { "team/app:1", "did you mean \"docker.io/team/app:1\"?" },
        { "docker://example.org/app", "leave out what stands before example.org/app" },
        { "oci:directory:tag", "is no reference" },
        { "", "is no reference" },
        { "-example.org/app", "is no reference" },
        { "--help", "is no reference" },
        { "example.org/app --debug", "is no reference" },
        { "example.org/\033[31mapp", "\\x1b[31mapp" },
        { "example.org/app@sha256:1234", "is no reference" },
        { "example.org/app:", "is no reference" },
        { "Example.org/app", "in lower case" },
        { PIN, "is no reference" },
    };
    TABLE_FOREACH (row, rows) {
        char *error = NULL;
        ImageReference reference;
        assert_int_equal(image_reference_parse(row->text, &reference, &error), -EINVAL);
        if (!error || !strstr(error, row->words))
            fail_msg("%s: %s", row->text, error ?: "no sentence");
        free(error);
    }
}

static void a_reference_is_bounded(void **state)
{
    _cleanup_(freep) char *text = calloc(1, 100001);
    ImageReference reference;
    char *error = NULL;

    memset(text, 'a', 100000);
    memcpy(text, "h.x/", 4);
    assert_int_equal(image_reference_parse(text, &reference, &error), -EINVAL);
    assert_true(strlen(error) < 1000);
    free(error);
}

static void skopeo_is_asked_for_the_digest_where_there_is_one(void **state)
{
    ImageReference reference;
    assert_success(image_reference_parse("h:1/x:2@" PIN, &reference, NULL));

    _cleanup_(freep) char *pinned = image_reference_source(&reference, reference.digest);
    _cleanup_(freep) char *tagged = image_reference_source(&reference, NULL);

    assert_string_equal(pinned, "docker://h:1/x@" PIN);
    assert_string_equal(tagged, "docker://h:1/x:2");
    image_reference_done(&reference);
}

/* --- manifests --------------------------------------------------------------------------------------------------------- */

static int parse(const char *text, OciManifest *ret, char **ret_error)
{
    const Bytes bytes = { .data = (uint8_t *)text, .size = strlen(text) };
    return oci_manifest_parse(&bytes, "amd64", ret, ret_error);
}

#define BLOB(size) "{\"digest\":\"" PIN "\",\"size\":" size "}"

static void a_manifest_tells_what_is_to_be_fetched(void **state)
{
    OciManifest manifest;

    assert_success(
        parse("{\"config\":" BLOB("5") ",\"layers\":[" BLOB("10") "," BLOB("20") "]}", &manifest, NULL));

    assert_int_equal(manifest.n_blobs, 3);
    assert_int_equal(manifest.size, 35);
    assert_null(manifest.next);
    oci_manifest_done(&manifest);
}

static void manifests_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *text;
        int error;
        const char *words;
    } rows[] = {
        { "", -EBADMSG, "not JSON" },
        { "[]", -EBADMSG, "no image of a container" },
        { "{\"config\":{},\"layers\":[]}", -EBADMSG, "without a usable SHA-256" },
        { "{\"config\":" BLOB("\"5\"") ",\"layers\":[]}", -EBADMSG, "without a usable size" },
        { "{\"config\":" BLOB("-1") ",\"layers\":[]}", -EBADMSG, "without a usable size" },
        { "{\"config\":" BLOB("9223372036854775807") ",\"layers\":[" BLOB("9223372036854775807") "," BLOB(
              "9223372036854775807") "]}",
          -EBADMSG, "without a usable size" },
        { "{\"config\":" BLOB("5") ",\"layers\":[7]}", -EBADMSG, "without a usable SHA-256" },
        { "{\"manifests\":[]}", -EBADMSG, "is empty" },
        { "{\"manifests\":[{\"digest\":\"sha256:x\"}]}", -EBADMSG, "without a usable SHA-256" },
        { "{\"manifests\":[{\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\\u001b[31m\"}}]}", -ENOEXEC,
          "for arm\\x1b[31m; this host" },
        { "{\"manifests\":[{\"platform\":{\"os\":\"windows\",\"architecture\":\"amd64\"}}]}", -ENOEXEC, "" },
    };
    TABLE_FOREACH (row, rows) {
        OciManifest manifest;
        char *error = NULL;
        assert_int_equal(parse(row->text, &manifest, &error), row->error);
        if (!error || !strstr(error, row->words))
            fail_msg("%s: %s", row->text, error ?: "no sentence");
        free(error);
    }
}

static void too_many_layers_are_refused(void **state)
{
    OciManifest manifest;
    char *error = NULL;
    _cleanup_(freep) char *many =
        shell_output("printf '{\"config\":{},\"layers\":[0'; yes ,0 | head -n %d | tr -d '\\n'; echo ']}'",
                     OCI_LAYERS_MAX);
    assert_int_equal(parse(many, &manifest, &error), -E2BIG);
    free(error);
}

/* --- skopeo ------------------------------------------------------------------------------------------------------------ */

/* With a skopeo that is this shell script instead. */
static void pull_fails(Fixture *f, const char *script, const PullOptions *options, int error,
                       const char *words)
{
    _cleanup_(freep) char *text = strf("#!/bin/sh\n%s\n", script);
    _cleanup_(freep) char *path = strf("%s/programs:/bin:/usr/bin", f->top);
    PullOptions pull = *options;
    char *sentence = NULL;

    shell("mkdir -p programs");
    _cleanup_(closep) int programs = dir_open_at(AT_FDCWD, "programs");
    assert_success(file_replace_at(programs, "skopeo", text, strlen(text), 0755));
    pull.programs = path;
    pull.reference = pull.reference ?: "example.org/app:1";
    int r = image_pull(f->store, &pull, NULL, &sentence);
    if (r != error || !sentence || !strstr(sentence, words))
        fail_msg("expected %d with \"%s\", got %d: %s", error, words, r, sentence ?: "no sentence");
    free(sentence);
    assert_clean(f);
}

static void skopeo_that_is_missing_is_named_with_its_package(void **state)
{
    Fixture *f = *state;
    char *error = NULL;
    const PullOptions pull = { .reference = "example.org/app", .programs = "/nowhere" };

    assert_int_equal(image_pull(f->store, &pull, NULL, &error), -ENOPKG);
    assert_non_null(strstr(error, "`apt install skopeo`"));
    free(error);
    assert_clean(f);
}

static void skopeo_gets_our_words_and_what_it_needs_of_the_environment(void **state)
{
    static const char *const environment[] = { "HOME=/home/x", "SECRET=hidden", "HTTPS_PROXY=p", "HOMER=y",
                                               NULL };
    static const char *const script = "echo \"$*\" >&2; env | sort | tr '\\n' ' ' >&2; exit 1";
    PullOptions pull = { .environment = (char *const *)environment };

    pull_fails(*state, script, &pull, -EIO,
               "--tmpdir /proc/self/fd/3 inspect --raw --tls-verify=true docker://example.org/app:1;");
    pull_fails(*state, script, &pull, -EIO, "; GOTRACEBACK=none HOME=/home/x HTTPS_PROXY=p LC_ALL=C PATH=");
    pull.insecure = true;
    pull_fails(*state, script, &pull, -EIO, "--tls-verify=false docker://");
    pull.reference = "example.org/app:1@" PIN;
    pull_fails(*state, script, &pull, -EIO, "docker://example.org/app@" PIN);
}

static void skopeo_that_gets_nothing_is_given_up(void **state)
{
    pull_fails(*state, "sleep 4711 & wait", &(PullOptions){ .stall_timeout = USEC_PER_SEC / 2 }, -ETIMEDOUT,
               "the registry has sent nothing for too long");
    pull_fails(*state, "while :; do :; done", &(PullOptions){ .timeout = USEC_PER_SEC / 2 }, -ETIMEDOUT,
               "takes longer than it may");
}

static void a_manifest_without_end_is_cut_off(void **state)
{
    pull_fails(*state, "exec cat /dev/zero", &(PullOptions){ 0 }, -EFBIG, "its manifest is larger than");
}

static void what_skopeo_says_is_explained(void **state)
{
    static const struct {
        const char *says;
        int error;
        const char *words;
    } rows[] = {
        { "dial tcp: lookup x: no such host", -EHOSTUNREACH, "there is no host of that name" },
        { "lookup x: Temporary failure in name resolution", -EHOSTUNREACH, "no name server answers" },
        { "connect: no route to host", -EHOSTUNREACH, "no way to the registry" },
        { "net/http: TLS handshake timeout", -ETIMEDOUT, "does not answer" },
        { "toomanyrequests: You have reached your limit", -EBUSY, "asked too often" },
        { "Source image rejected: A signature was required", -EPERM, "policy" },
        { "write /x: no space left on device", -ENOSPC, "the disk of the image store is full" },
        { "open /root/.docker/config.json: permission denied", -EACCES, "cannot be read by this user" },
        { "something new", -EIO, "skopeo failed with exit status 1: something new" },
    };
    TABLE_FOREACH (row, rows) {
        _cleanup_(freep) char *script =
            strf("echo 'time=\"now\" level=fatal msg=\"%s\"' >&2; exit 1", row->says);
        pull_fails(*state, script, &(PullOptions){ 0 }, row->error, row->words);
    }
}

/* --- requests of podvisord ------------------------------------------------------------------------------------------- */

static void a_request_waits_until_it_is_done_or_says_why_not(void **state)
{
    Fixture *f = *state;
    char id[PULL_ID_SIZE];
    char *why = NULL;
    const PullRequest request = { .reference = (char *)"nowhere.invalid/app", .timeout = USEC_PER_MINUTE };
    _cleanup_(closep) int pulls = dir_make_at(AT_FDCWD, "pulls", 0700);
    pull_request_id(request.reference, id);

    assert_true(pull_request_id_valid(id));
    assert_success(pull_request_look(pulls, id, &why));
    assert_success(pull_request_write(pulls, &request));
    assert_int_equal(pull_request_look(pulls, id, &why), PULL_REQUEST_WAITS);
    assert_success(pull_request_serve(pulls, f->state, id, NULL));
    assert_int_equal(pull_request_look(pulls, id, &why), -EIO);
    assert_non_null(strstr(why, "\"nowhere.invalid/app\" cannot be pulled"));
    free(why);

    /* Asked for anew, the old failure counts no more; and nobody else's name is one of a request. */
    assert_success(pull_request_write(pulls, &request));
    assert_int_equal(pull_request_look(pulls, id, &why), PULL_REQUEST_WAITS);
    assert_success(pull_request_remove(pulls, id));
    assert_int_equal(pull_request_serve(pulls, f->state, id, NULL), -ENOENT);
    assert_false(pull_request_id_valid("../../../etc/passwd"));
    assert_false(pull_request_id_valid(""));
}

static void a_request_that_is_damaged_is_not_served(void **state)
{
    Fixture *f = *state;
    char id[PULL_ID_SIZE];
    const PullRequest request = { .reference = (char *)"nowhere.invalid/app" };
    _cleanup_(closep) int pulls = dir_make_at(AT_FDCWD, "pulls", 0700);
    pull_request_id(request.reference, id);
    assert_success(pull_request_write(pulls, &request));

    shell("for i in $(seq 30); do head -c $i pulls/%s.request >cut; done; mv cut pulls/%s.request", id, id);

    assert_true(pull_request_serve(pulls, f->state, id, NULL) < 0);
    assert_clean(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_taken_apart),
        cmocka_unit_test(what_is_no_reference_is_refused_with_what_was_meant),
        cmocka_unit_test(a_reference_is_bounded),
        cmocka_unit_test(skopeo_is_asked_for_the_digest_where_there_is_one),
        cmocka_unit_test(a_manifest_tells_what_is_to_be_fetched),
        cmocka_unit_test(manifests_that_cannot_be_are_refused),
        cmocka_unit_test(too_many_layers_are_refused),
        TEST(skopeo_that_is_missing_is_named_with_its_package),
        TEST(skopeo_gets_our_words_and_what_it_needs_of_the_environment),
        TEST(skopeo_that_gets_nothing_is_given_up),
        TEST(a_manifest_without_end_is_cut_off),
        TEST(what_skopeo_says_is_explained),
        TEST(a_request_waits_until_it_is_done_or_says_why_not),
        TEST(a_request_that_is_damaged_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
