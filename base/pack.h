/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The one door to msgpack-c.
 *
 * Writing: a Packer collects into its own buffer; an error (only -ENOMEM) sticks and is told by packer_finish().
 * Reading: bytes are first walked by a check that allocates nothing and refuses whatever exceeds the limits or
 * promises more than the bytes can hold; only then msgpack-c builds its tree. So hostile bytes cost at most a bounded
 * multiple of their own size. A PackValue lives as long as its document; copy out what must live on.
 */
#include "base/bytes.h"

typedef struct Packer Packer;
typedef struct PackDocument PackDocument;
typedef struct msgpack_object PackValue;

typedef enum PackType {
    PACK_NIL,
    PACK_BOOL,
    PACK_INTEGER,
    PACK_FLOAT,
    PACK_STRING,
    PACK_BINARY,
    PACK_ARRAY,
    PACK_MAP,
    PACK_EXTENSION,
} PackType;

typedef struct PackLimits {
    size_t size;  /* bytes in all */
    size_t depth; /* nesting of arrays and maps; at most 16, below msgpack-c's own 32 */
    size_t count; /* values in all, containers included */
} PackLimits;

int packer_new(Packer **ret);
/* What is packed from here on is secret, and so will be what packer_finish() hands over. */
void packer_secret(Packer *p);
Packer *packer_free(Packer *p);
DEFINE_CLEANUP(Packer *, packer_free)
void packer_map(Packer *p, size_t n_pairs);
void packer_array(Packer *p, size_t n);
void packer_nil(Packer *p);
void packer_bool(Packer *p, bool value);
void packer_unsigned(Packer *p, uint64_t value);
void packer_signed(Packer *p, int64_t value);
void packer_double(Packer *p, double value);
void packer_string(Packer *p, const char *s); /* NULL becomes nil */
void packer_string_n(Packer *p, const void *s, size_t n);
void packer_binary(Packer *p, const void *data, size_t size);
/* Already packed bytes, which must be whole values. */
void packer_raw(Packer *p, const void *data, size_t size);
void packer_value(Packer *p, const PackValue *v);
/* Hands the bytes over (the packer is empty then): 0 or the first error. */
int packer_finish(Packer *p, Bytes *ret);

/*
 * One whole value that uses all of the bytes. 0, -EBADMSG for what is no msgpack or is cut short, -E2BIG beyond the limits,
 * -ENOMEM. The document copies what it needs.
 */
int pack_parse(const void *data, size_t size, const PackLimits *limits, PackDocument **ret);
PackDocument *pack_document_free(PackDocument *d);
DEFINE_CLEANUP(PackDocument *, pack_document_free)
const PackValue *pack_root(const PackDocument *d);

PackType pack_type(const PackValue *v);
/* Each: 0, or -EINVAL for another type, -ERANGE for what the result cannot hold. */
int pack_get_bool(const PackValue *v, bool *ret);
int pack_get_unsigned(const PackValue *v, uint64_t *ret);
int pack_get_signed(const PackValue *v, int64_t *ret);
int pack_get_double(const PackValue *v, double *ret);
/* Not NUL-terminated, lives with the document. Strings and binaries alike. */
int pack_get_bytes(const PackValue *v, const uint8_t **ret_data, size_t *ret_size);
/* Elements of an array or pairs of a map; 0 for all else. */
size_t pack_count(const PackValue *v);
const PackValue *pack_element(const PackValue *v, size_t i);
/* The i-th pair's value; key and its length by out-parameters (NULL, 0 when the key is no string). */
const PackValue *pack_pair(const PackValue *v, size_t i, const char **ret_key, size_t *ret_key_size);
/* The value of a key in a map; NULL when it is no map or has no such key. */
const PackValue *pack_find(const PackValue *v, const char *key);
