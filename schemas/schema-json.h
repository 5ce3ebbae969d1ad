/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Structs and msgpack values as JSON, for --json and `checkpoint show`. jansson's types stay behind this door. */
#include "schemas/schema.h"

typedef enum JsonStyle {
    JSON_SHORT, /* one line */
    JSON_PRETTY,
    JSON_STYLE_MAX,
} JsonStyle;
extern const EnumTable json_style_table;

/* A list under construction: an array, or lines of objects. */
typedef struct json_t Json;

/* An object of all fields; durations in microseconds, sizes in bytes, infinity as null, bytes as hexadecimal. NULL: no memory. */
Json *schema_to_json(const Schema *schema, const void *object);
/*
 * The other way, of text that another program wrote, into uninitialised object: 0, -EBADMSG when it is no JSON or a value has not the type of its
 * field, or -ENOMEM (then nothing needs schema_done). Keys that no row has are passed over, those that are missing or null keep their
 * default. Only booleans, unsigned numbers, words of a table, strings, groups and lists. Bounded by the caller's bound on size.
 */
int schema_from_json(const Schema *schema, void *object, const void *text, size_t size) _warn_unused_;
/* Any msgpack value; binaries of 16 bytes as UUID, others as hexadecimal. NULL: no memory. */
Json *json_from_pack(const PackValue *v);
Json *json_new_array(void);
Json *json_new_object(void);
/* Both take `item`, also on failure: 0 or -ENOMEM. */
int json_append(Json *array, Json *item);
int json_put(Json *object, const char *key, Json *item);
Json *json_text(const char *s);
Json *json_whole(uint64_t value);
Json *json_truth(bool value);
/* Writes and a line end: 0 or -EIO, -ENOMEM. */
int json_print(const Json *json, JsonStyle style, FILE *f);
Json *json_release(Json *json);
DEFINE_CLEANUP(Json *, json_release)
