/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/strings.h"
#include "images/image-name.h"
#include "images/pull-request.h"
#include "images/pull.h"
#include "schemas/formats.h"

enum { REQUEST_SIZE_MAX = 4096 };

static const PackLimits limits = { .size = REQUEST_SIZE_MAX, .depth = 4, .count = 64 };

/* clang-format off */
static const Field request_fields[] = {
    { F_STRING(PullRequest, reference), .flags = FIELD_REQUIRED | FIELD_KEY, .format = &format_image,
      .doc = "What is to be pulled." },
    { F_BOOL(PullRequest, insecure), .doc = "Whether its registry may do without a certificate that this host trusts." },
    { F_DURATION(PullRequest, timeout), .doc = "How long it may take to fetch it." },
};
DEFINE_SCHEMA_EXTRA(pull_request_schema, PullRequest, "pull request", "What podvisord wants to be pulled.", request_fields);
/* clang-format on */

void pull_request_id(const char *reference, char ret[PULL_ID_SIZE])
{
    char hex[SHA256_TEXT_SIZE];

    sha256_text(reference, strlen(reference), hex);
    memcpy(ret, hex, PULL_ID_SIZE - 1);
    ret[PULL_ID_SIZE - 1] = 0;
}

bool pull_request_id_valid(const char *id)
{
    return strlen(id) == PULL_ID_SIZE - 1 && strspn(id, "0123456789abcdef") == PULL_ID_SIZE - 1;
}

static char *request_file(const char *id)
{
    return strf("%s.request", id);
}

static char *failure_file(const char *id)
{
    return strf("%s.failure", id);
}

static int remove_failure(int pulls, const char *id)
{
    _cleanup_(freep) char *file = failure_file(id);
    return file ? file_remove_at(pulls, file) : -ENOMEM;
}

int pull_request_write(int pulls, const PullRequest *request)
{
    char id[PULL_ID_SIZE];
    _cleanup_(bytes_done) Bytes bytes = { 0 };

    pull_request_id(request->reference, id);
    _cleanup_(freep) char *file = request_file(id);
    int r = file ? remove_failure(pulls, id) : -ENOMEM;
    if (r >= 0)
        r = schema_to_bytes(&pull_request_schema, request, &bytes);
    return r < 0 ? r : file_replace_at(pulls, file, bytes.data, bytes.size, 0600);
}

int pull_request_remove(int pulls, const char *id)
{
    _cleanup_(freep) char *file = request_file(id);

    int r = file ? file_remove_at(pulls, file) : -ENOMEM;
    return r < 0 ? r : remove_failure(pulls, id);
}

int pull_request_look(int pulls, const char *id, char **ret_why)
{
    struct stat st;
    _cleanup_(bytes_done) Bytes words = { 0 };
    _cleanup_(freep) char *request = request_file(id), *failure = failure_file(id);

    if (!request || !failure)
        return -ENOMEM;
    if (fstatat(pulls, request, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return PULL_REQUEST_WAITS;
    int r = file_read_at(pulls, failure, PULL_FAILURE_SIZE_MAX, &words);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    char *text = str_escape(words.data ?: (const uint8_t *)"", words.size);
    if (!text)
        return -ENOMEM;
    *ret_why = text;
    return -EIO;
}

static int pull(int state_dir, const PullRequest *request, char *const *environment, char **ret_error)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    const PullOptions options = {
        .reference = request->reference,
        .insecure = request->insecure,
        .timeout = request->timeout,
        .environment = environment,
    };

    int r = image_store_open(state_dir, IMAGE_WRITE, &store, ret_error);
    return r < 0 ? r : image_pull(store, &options, NULL, ret_error);
}

int pull_request_serve(int pulls, int state_dir, const char *id, char *const *environment)
{
    PullRequest request;
    _cleanup_(bytes_done) Bytes bytes = { 0 };
    _cleanup_(freep) char *error = NULL;
    _cleanup_(freep) char *file = request_file(id), *failure = failure_file(id);

    int r = file && failure ? file_read_at(pulls, file, REQUEST_SIZE_MAX, &bytes) : -ENOMEM;
    if (r >= 0)
        r = schema_from_bytes(&pull_request_schema, &request, bytes.data, bytes.size, &limits, NULL);
    if (r < 0)
        return r;
    r = pull(state_dir, &request, environment, &error);
    schema_done(&pull_request_schema, &request);
    const char *words = error ?: strerrordesc_np(-r) ?: "it failed";
    if (r < 0)
        r = file_replace_at(pulls, failure, words, strnlen(words, PULL_FAILURE_SIZE_MAX), 0600);
    return r < 0 ? r : file_remove_at(pulls, file);
}
