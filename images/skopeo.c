/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "base/file.h"
#include "base/strings.h"
#include "images/oci-layout.h"
#include "images/oci-manifest.h"
#include "images/skopeo.h"
#include "images/store-internal.h"

static const ChildProgram program_skopeo = { "skopeo", "skopeo" };

/* Where container tools look for credentials; how the host gets out; whom it trusts. */
static const char *const environment_kept[] = {
    "HOME",       "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
    "HTTP_PROXY", "HTTPS_PROXY",     "NO_PROXY",        "http_proxy",         "https_proxy",
    "no_proxy",   "SSL_CERT_FILE",   "SSL_CERT_DIR",
};

#define NO_TLS                                                                                               \
    "the registry speaks without TLS; --tls-verify=false, or insecure_registries in podvisord.conf, allows " \
    "that"
#define STOPPED                                                                                              \
    "the registry stopped in the middle; what is complete is kept, and the next pull goes on from there"
#define OTHER_CREDENTIALS "the registry does not take the credentials; `skopeo login REGISTRY` stores others"

static const ChildFailure skopeo_failures[] = {
    { "no such host", -EHOSTUNREACH, "there is no host of that name" },
    { "failure in name resolution", -EHOSTUNREACH, "no name server answers" },
    { "server misbehaving", -EHOSTUNREACH, "no name server answers" },
    { "connection refused", -ECONNREFUSED, "no registry listens there" },
    { "no route to host", -EHOSTUNREACH, "there is no way to the registry" },
    { "network is unreachable", -EHOSTUNREACH, "there is no way to the registry" },
    { "first record does not look like a TLS handshake", -EPROTO, NO_TLS },
    { "gave HTTP response to HTTPS client", -EPROTO, NO_TLS },
    { "x509:", -EKEYREJECTED,
      "the registry's certificate is not trusted; its authority belongs into "
      "/etc/containers/certs.d/HOST:PORT/ca.crt" },
    { "policy.json", -EPERM, "this host has no policy for images; see containers-policy.json(5)" },
    { "Source image rejected", -EPERM,
      "the policy of this host does not accept it; see containers-policy.json(5)" },
    { "toomanyrequests", -EBUSY, "the registry was asked too often, and wants to be left alone for a while" },
    { "did not match, expected", -EBADMSG, "the registry sent something else than its digest says" },
    { "authentication required", -EACCES,
      "the registry wants credentials; `skopeo login REGISTRY` stores some" },
    { "unauthorized", -EACCES, OTHER_CREDENTIALS },
    { "invalid username/password", -EACCES, OTHER_CREDENTIALS },
    { "access to the resource is denied", -EACCES, "the registry lets these credentials not have it" },
    { "manifest unknown", -ENOENT, "the registry has no such image, tag or digest" },
    { "name unknown", -ENOENT, "the registry has no such image" },
    { "unexpected EOF", -ECONNRESET, STOPPED },
    { "connection reset by peer", -ECONNRESET, STOPPED },
    { ": EOF", -ECONNRESET, "the registry ended the connection without an answer" },
    { "i/o timeout", -ETIMEDOUT, "the registry does not answer" },
    { "handshake timeout", -ETIMEDOUT, "the registry does not answer" },
    { "permission denied", -EACCES, "a file of this host cannot be read by this user" },
};

/*
 * Without XDG_RUNTIME_DIR, credentials are looked for below /run/containers, which podman closes to all but root; skopeo then fails, though
 * nothing there could be this user's.
 */
static bool usual_place_is_closed(void)
{
    _cleanup_(freep) char *path = strf("/run/containers/%u/auth.json", (unsigned)geteuid());

    return path && access(path, R_OK) < 0 && errno == EACCES;
}

static int keep_environment(char *const *from, char ***ret)
{
    /* A trace of the program's own insides explains nothing to anybody. */
    int r = strv_append(ret, "GOTRACEBACK=none");
    bool placed = false;

    for (char *const *entry = from; entry && *entry; entry++)
        TABLE_FOREACH (name, environment_kept) {
            const char *rest = str_after(*entry, *name);
            placed |= rest && *rest == '=' && streq(*name, "XDG_RUNTIME_DIR");
            if (r >= 0 && rest && *rest == '=')
                r = strv_append(ret, *entry);
        }
    if (r >= 0 && !placed && usual_place_is_closed())
        r = strv_append(ret, "XDG_RUNTIME_DIR=" CHILD_KEPT_PATH);
    return r;
}

static int run(const Skopeo *s, char **arguments, int output, uint64_t file_max, char **ret_error)
{
    _cleanup_(strv_freep) char **environment = NULL;

    int r = keep_environment(s->options->environment, &environment);
    if (r < 0)
        return r;
    const Child child = {
        .program = &program_skopeo,
        .arguments = arguments,
        .environment = environment,
        .path = s->options->programs,
        .input = -1,
        .output = output,
        .directory = s->work,
        .kept = s->work,
        .file_max = file_max,
        .failure = -EIO,
        .stall_timeout = USEC_INFINITY, /* it is never quite idle: the tick looks at what arrives */
        .failures = skopeo_failures,
        .n_failures = ELEMENTSOF(skopeo_failures),
        .tick = s->tick,
        .userdata = s->userdata,
    };
    return child_run(&child, ret_error);
}

static int begin(char ***arguments, const char *verb)
{
    const char *const words[] = { "skopeo", "--tmpdir", CHILD_KEPT_PATH, verb };
    int r = 0;

    TABLE_FOREACH (word, words)
        r = r < 0 ? r : strv_append(arguments, *word);
    return r;
}

static int add_source(char ***arguments, const ImageReference *reference, const char *digest)
{
    _cleanup_(freep) char *source = image_reference_source(reference, digest);
    return source ? strv_append(arguments, source) : -ENOMEM;
}

int skopeo_inspect(const Skopeo *s, const ImageReference *reference, const char *digest, Bytes *ret,
                   char **ret_error)
{
    _cleanup_(strv_freep) char **arguments = NULL;
    _cleanup_(closep) int output = memfd_create("manifest", MFD_CLOEXEC);

    int r = output < 0 ? -errno : begin(&arguments, "inspect");
    if (r >= 0)
        r = strv_append(&arguments, "--raw");
    if (r >= 0)
        r = strv_appendf(&arguments, "--tls-verify=%s", s->options->insecure ? "false" : "true");
    if (r >= 0)
        r = add_source(&arguments, reference, digest);
    if (r >= 0)
        r = run(s, arguments, output, OCI_DOCUMENT_SIZE_MAX, ret_error);
    if (r == -EFBIG) {
        if (ret_error)
            free(*ret_error);
        return image_fail(ret_error, r, "its manifest is larger than %d bytes", OCI_DOCUMENT_SIZE_MAX);
    }
    if (r < 0)
        return r;
    if (lseek(output, 0, SEEK_SET) < 0)
        return -errno;
    return file_read_fd(output, OCI_DOCUMENT_SIZE_MAX, ret);
}

int skopeo_copy(const Skopeo *s, const ImageReference *reference, const char *digest, const char *directory,
                char **ret_error)
{
    static const char blobs[] = CHILD_KEPT_PATH "/" SKOPEO_BLOBS_DIR;
    /* umoci knows no other compression. */
    static const char *const words[] = { "--quiet", "--dest-compress-format", "gzip",
                                         "--dest-shared-blob-dir", blobs };
    _cleanup_(strv_freep) char **arguments = NULL;

    int r = begin(&arguments, "copy");
    TABLE_FOREACH (word, words)
        r = r < 0 ? r : strv_append(&arguments, *word);
    if (r >= 0)
        r = strv_appendf(&arguments, "--src-tls-verify=%s", s->options->insecure ? "false" : "true");
    if (r >= 0)
        r = add_source(&arguments, reference, digest);
    if (r >= 0)
        r = strv_appendf(&arguments, "oci:%s:" OCI_STAGED_TAG, directory);
    return r < 0 ? r : run(s, arguments, -1, IMPORT_SIZE_MAX, ret_error);
}
