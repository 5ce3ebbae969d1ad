/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/strings.h"
#include "schemas/checkpoint.h"

#define CHECKPOINT_FORMAT "podvisor"

static const PackLimits limits = { .size = CHECKPOINT_SIZE_MAX, .depth = 16, .count = 200000 };

DEFINE_ENUM_TABLE(checkpoint_outcome, "checkpoint outcome",
                  CHECKPOINT_OUTCOME_MAX, [CHECKPOINT_GOOD] = { "good", "it was read" },
                  [CHECKPOINT_ABSENT] = { "absent", "there is none" },
                  [CHECKPOINT_UNREADABLE] = { "unreadable", "the file system gave an error" },
                  [CHECKPOINT_CORRUPT] = { "corrupt", "it is truncated or damaged" },
                  [CHECKPOINT_NEWER] = { "newer", "a newer version of podvisor wrote it" },
                  [CHECKPOINT_ALIEN] = { "alien", "it is not what its name says" });

static const Field envelope_fields[] = {
    { F_STRING(CheckpointEnvelope, format), .doc = "Always \"podvisor\"." },
    { F_STRING(CheckpointEnvelope, kind), .doc = "Whose checkpoint it is." },
    { F_UNSIGNED(CheckpointEnvelope, version), .doc = "The version of the body." },
    { F_ID128(CheckpointEnvelope, pod), .doc = "The machine that it is about." },
    { F_UNSIGNED(CheckpointEnvelope, generation), .doc = "The generation of the definition." },
    { F_ID128(CheckpointEnvelope, boot), .doc = "The boot of the host in which it was written." },
    { F_DURATION(CheckpointEnvelope, written), .doc = "When it was written." },
    { F_BYTES(CheckpointEnvelope, checksum), .doc = "SHA-256 of the body." },
    { F_BYTES(CheckpointEnvelope, body), .doc = "What its owner remembers." },
};
DEFINE_SCHEMA(checkpoint_envelope_schema, CheckpointEnvelope, "checkpoint", "The envelope of a checkpoint.",
              envelope_fields);

static int envelope_fill(CheckpointEnvelope *e, const CheckpointKind *kind, const void *object)
{
    int r = schema_to_bytes(kind->schema, object, &e->body);
    if (r < 0)
        return r;

    uint8_t digest[SHA256_SIZE];
    sha256(e->body.data, e->body.size, digest);
    if ((r = bytes_append(&e->checksum, digest, sizeof digest)) < 0)
        return r;
    if (!(e->format = strdup(CHECKPOINT_FORMAT)) || !(e->kind = strdup(kind->name)))
        return -ENOMEM;
    e->version = kind->version;
    e->written = now_usec(CLOCK_REALTIME);
    return id128_boot(&e->boot);
}

int checkpoint_write(int dir, const CheckpointKind *kind, Id128 pod, uint64_t generation, const void *object)
{
    CheckpointEnvelope e = { .pod = pod, .generation = generation };
    Bytes bytes = { 0 };
    _cleanup_(freep) char *file = strf("%s.msgpack", kind->name);

    int r = file ? envelope_fill(&e, kind, object) : -ENOMEM;
    if (r >= 0)
        r = schema_to_bytes(&checkpoint_envelope_schema, &e, &bytes);
    schema_done(&checkpoint_envelope_schema, &e);
    if (r >= 0)
        r = file_replace_at(dir, file, bytes.data, bytes.size, 0600);
    bytes_done(&bytes);
    return r;
}

static CheckpointOutcome tell(CheckpointOutcome outcome, char **ret_detail, char *detail)
{
    if (ret_detail)
        *ret_detail = detail;
    else
        free(detail);
    return outcome;
}

static CheckpointOutcome envelope_check(const CheckpointEnvelope *e, const char *file, char **ret_detail)
{
    uint8_t digest[SHA256_SIZE];

    if (!e->format || !streq(e->format, CHECKPOINT_FORMAT) || !e->kind)
        return tell(CHECKPOINT_ALIEN, ret_detail, strf("%s is no checkpoint of podvisor", file));
    sha256(e->body.data, e->body.size, digest);
    if (e->checksum.size != sizeof digest || memcmp(e->checksum.data, digest, sizeof digest) != 0)
        return tell(CHECKPOINT_CORRUPT, ret_detail, strf("%s is damaged: its checksum does not match", file));
    return CHECKPOINT_GOOD;
}

CheckpointOutcome checkpoint_read_envelope(int dir, const char *file, CheckpointEnvelope *ret,
                                           char **ret_detail)
{
    Bytes bytes = { 0 };
    CheckpointEnvelope e;

    int r = file_read_at(dir, file, CHECKPOINT_SIZE_MAX, &bytes);
    if (r == -ENOENT)
        return tell(CHECKPOINT_ABSENT, ret_detail, strf("there is no %s", file));
    if (r < 0)
        return tell(CHECKPOINT_UNREADABLE, ret_detail, strf("%s cannot be read: %s", file, strerror(-r)));
    r = schema_from_bytes(&checkpoint_envelope_schema, &e, bytes.data, bytes.size, &limits, NULL);
    bytes_done(&bytes);
    if (r == -ENOMEM)
        return tell(CHECKPOINT_UNREADABLE, ret_detail, strf("%s cannot be read: out of memory", file));
    if (r < 0)
        return tell(CHECKPOINT_CORRUPT, ret_detail, strf("%s is truncated or damaged", file));

    CheckpointOutcome outcome = envelope_check(&e, file, ret_detail);
    if (outcome == CHECKPOINT_GOOD)
        *ret = e;
    else
        schema_done(&checkpoint_envelope_schema, &e);
    return outcome;
}

static CheckpointOutcome body_read(const CheckpointKind *kind, const CheckpointEnvelope *e, void *object,
                                   char **ret_detail)
{
    _cleanup_(freep) char *where = NULL;

    if (!streq(e->kind, kind->name))
        return tell(CHECKPOINT_ALIEN, ret_detail,
                    strf("%s.msgpack holds a checkpoint of \"%s\"", kind->name, e->kind));
    if (e->version > kind->version)
        return tell(
            CHECKPOINT_NEWER, ret_detail,
            strf("%s.msgpack has version %llu, written by a newer podvisor; this one reads up to %llu",
                 kind->name, (unsigned long long)e->version, (unsigned long long)kind->version));
    int r = schema_from_bytes(kind->schema, object, e->body.data, e->body.size, &limits, &where);
    if (r == -ENOMEM)
        return tell(CHECKPOINT_UNREADABLE, ret_detail,
                    strf("%s.msgpack cannot be read: out of memory", kind->name));
    if (r < 0)
        return tell(
            CHECKPOINT_CORRUPT, ret_detail,
            strf("%s.msgpack does not hold what it should%s%s", kind->name, where ? ": " : "", where ?: ""));
    return CHECKPOINT_GOOD;
}

CheckpointOutcome checkpoint_read(int dir, const CheckpointKind *kind, void *object,
                                  CheckpointEnvelope *ret_envelope, char **ret_detail)
{
    CheckpointEnvelope e;
    _cleanup_(freep) char *file = strf("%s.msgpack", kind->name);

    if (ret_detail)
        *ret_detail = NULL;
    if (!file)
        return tell(CHECKPOINT_UNREADABLE, ret_detail, NULL);
    CheckpointOutcome outcome = checkpoint_read_envelope(dir, file, &e, ret_detail);
    if (outcome != CHECKPOINT_GOOD)
        return outcome;
    outcome = body_read(kind, &e, object, ret_detail);
    bytes_done(&e.body);
    if (outcome == CHECKPOINT_GOOD && ret_envelope)
        *ret_envelope = e;
    else
        schema_done(&checkpoint_envelope_schema, &e);
    return outcome;
}
