/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Field tables: the shape of every struct that crosses a file, a process or a person, written once.
 *
 * Theory of operation
 * -------------------
 * A Schema describes a C struct by rows, one per field: its name outside, its type, where it lies in the struct, what
 * it accepts, its default, what a change of it costs, and what it means. Everything that would otherwise repeat that
 * list walks the rows instead:
 *
 *     pod file --schema-config.c--> struct --schema-pack.c--> msgpack (frozen definitions, checkpoints, protocols)
 *                                     |  ^--schema-pack.c---
 *                                     |----schema-json.c--> JSON           (--json, checkpoint show)
 *                                     |----schema.c-------> diff           (what changed, and what that costs)
 *     rows alone ------------------schema-doc.c--> `podvisor explain`, the tables of the manual
 *
 * Invariants
 * - A struct is made by schema_init() and emptied by schema_done(); in between every pointer in it is owned by it.
 * - The FIELD_ macros refuse, at compile time, a member whose C type is not the one that the row's type stands for.
 * - Unpacking keeps fields that it does not know in the struct's `extra` (if the schema has one), and packing writes
 *   them back, so that an older program rewrites a newer one's file without loss.
 * - Defaults are text, read by the same parsers as what people write.
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/enum-table.h"
#include "base/id128.h"
#include "base/pack.h"
#include "base/units.h"

typedef struct Schema Schema;
typedef struct Field Field;

typedef enum FieldType {
    FIELD_BOOL,        /* bool */
    FIELD_UNSIGNED,    /* uint64_t */
    FIELD_SIGNED,      /* int64_t */
    FIELD_DOUBLE,      /* double */
    FIELD_SIZE,        /* uint64_t, bytes; SIZE_INFINITY */
    FIELD_DURATION,    /* usec_t; USEC_INFINITY */
    FIELD_ENUM,        /* an enum, of the row's table */
    FIELD_STRING,      /* char *; NULL when unset */
    FIELD_STRV,        /* char **; NULL when empty */
    FIELD_ENVIRONMENT, /* char ** of "KEY=value"; a group of strings in a pod file */
    FIELD_ID128,       /* Id128 */
    FIELD_BYTES,       /* Bytes */
    FIELD_GROUP,       /* a struct inside, of the row's schema */
    FIELD_LIST,        /* T *items and size_t n_items, T of the row's schema */
    FIELD_TYPE_MAX,
} FieldType;
extern const EnumTable field_type_table;

/* What it costs a running pod when the value changes, cheapest first. */
typedef enum Impact {
    IMPACT_NONE,      /* the supervisor alone is concerned */
    IMPACT_LIVE,      /* applied to the running pod */
    IMPACT_CONTAINER, /* a container is restarted */
    IMPACT_REBOOT,    /* the virtual machine is restarted */
    IMPACT_MAX,
} Impact;
extern const EnumTable impact_table;

/* What the text of a string must look like. */
typedef struct Format {
    const char *accepted; /* "an absolute path without `..`", for messages and the manual */
    bool (*valid)(const char *s);
} Format;

enum {
    FIELD_REQUIRED = 1 << 0, /* must be given in a file */
    FIELD_KEY = 1 << 1,      /* names its item: unique in its list, used in paths ("containers.httpd") */
    FIELD_INTERNAL = 1 << 2, /* never read from a pod file, never in the manual of it */
};

struct Field {
    const char *name;
    FieldType type;
    size_t offset;
    size_t count_offset; /* FIELD_LIST */
    uint64_t min, max; /* FIELD_UNSIGNED, _SIZE, _DURATION; FIELD_STRV and _LIST: elements. max 0: no limit */
    double double_max; /* FIELD_DOUBLE; its minimum is 0 */
    const char *fallback; /* the default, as one would write it; NULL: zero, empty */
    unsigned flags;
    Impact impact;
    const Format *format;        /* FIELD_STRING, elements of FIELD_STRV */
    const EnumTable *enum_table; /* FIELD_ENUM */
    const Schema *schema;        /* FIELD_GROUP, FIELD_LIST */
    const char *same_as;         /* the path of the field where people are told the same keys; NULL: here */
    const char *doc;             /* full sentences, for people */
    const char *example;         /* a line of a pod file; NULL where the type says enough */
};

struct Schema {
    const char *name; /* "container": for messages */
    const char *doc;
    const Field *fields;
    size_t n_fields;
    size_t size;         /* of the struct */
    size_t extra_offset; /* of a Bytes that keeps unknown fields, packed; only with has_extra */
    bool has_extra;
};

#define FIELD_TYPED_OFFSET(S, m, T)                                                                          \
    (offsetof(S, m) + 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((S *)0)->m), T) ? 1 : -1]))
#define FIELD_AS(S, m, TYPE, T) .name = #m, .type = TYPE, .offset = FIELD_TYPED_OFFSET(S, m, T)

#define F_BOOL(S, m) FIELD_AS(S, m, FIELD_BOOL, bool)
#define F_UNSIGNED(S, m) FIELD_AS(S, m, FIELD_UNSIGNED, uint64_t)
#define F_SIGNED(S, m) FIELD_AS(S, m, FIELD_SIGNED, int64_t)
#define F_DOUBLE(S, m) FIELD_AS(S, m, FIELD_DOUBLE, double)
#define F_SIZE(S, m) FIELD_AS(S, m, FIELD_SIZE, uint64_t)
#define F_DURATION(S, m) FIELD_AS(S, m, FIELD_DURATION, usec_t)
#define F_STRING(S, m) FIELD_AS(S, m, FIELD_STRING, char *)
#define F_STRV(S, m) FIELD_AS(S, m, FIELD_STRV, char **)
#define F_ENVIRONMENT(S, m) FIELD_AS(S, m, FIELD_ENVIRONMENT, char **)
#define F_ID128(S, m) FIELD_AS(S, m, FIELD_ID128, Id128)
#define F_BYTES(S, m) FIELD_AS(S, m, FIELD_BYTES, Bytes)
#define F_ENUM(S, m, table)                                                                                  \
    .name = #m, .type = FIELD_ENUM,                                                                          \
    .offset = offsetof(S, m) + 0 * sizeof(char[sizeof(((S *)0)->m) == sizeof(int) ? 1 : -1]),                \
    .enum_table = &(table)
#define F_GROUP(S, m, sub) .name = #m, .type = FIELD_GROUP, .offset = offsetof(S, m), .schema = &(sub)
/* The count stands in a member named n_<list>. */
#define F_LIST(S, m, sub)                                                                                    \
    .name = #m, .type = FIELD_LIST, .offset = offsetof(S, m),                                                \
    .count_offset = FIELD_TYPED_OFFSET(S, n_##m, size_t), .schema = &(sub)

/* DEFINE_SCHEMA(container_schema, ContainerDefinition, "container", "doc", container_fields) */
#define DEFINE_SCHEMA(id, S, name_, doc_, rows)                                                              \
    const Schema id = {                                                                                      \
        .name = name_, .doc = doc_, .fields = rows, .n_fields = ELEMENTSOF(rows), .size = sizeof(S)          \
    }
/* With a member `Bytes extra`. */
#define DEFINE_SCHEMA_EXTRA(id, S, name_, doc_, rows)                                                        \
    const Schema id = { .name = name_,                                                                       \
                        .doc = doc_,                                                                         \
                        .fields = rows,                                                                      \
                        .n_fields = ELEMENTSOF(rows),                                                        \
                        .size = sizeof(S),                                                                   \
                        .has_extra = true,                                                                   \
                        .extra_offset = FIELD_TYPED_OFFSET(S, extra, Bytes) }

/* Fills the struct with its defaults; what it held before is not looked at. 0 or -ENOMEM (then nothing needs schema_done). */
int schema_init(const Schema *schema, void *object) _warn_unused_;
/* Frees all that the struct owns and zeroes it; a zeroed struct is fine. */
void schema_done(const Schema *schema, void *object);
/* A deep copy into uninitialised `to`: 0 or -ENOMEM. */
int schema_copy(const Schema *schema, const void *from, void *to) _warn_unused_;

const Field *schema_field(const Schema *schema, const char *name);
/* Where a field lies in an object. */
void *field_at(const Field *field, const void *object);
/* Where the unknown fields of an object are kept; NULL when its schema keeps none. */
Bytes *schema_extra(const Schema *schema, const void *object);
/* Items of a FIELD_LIST. */
size_t field_count(const Field *field, const void *object);
void *field_item(const Field *field, const void *object, size_t i);
/* A new item with its defaults at the end of a list; NULL when out of memory. */
void *field_append(const Field *field, void *object);
/* The text of an item's FIELD_KEY; NULL when its schema has none. */
const char *schema_key(const Schema *schema, const void *item);
/* As one would write it in a file (strings quoted when `quoted`); NULL when out of memory. Scalars and strvs only. */
char *field_format(const Field *field, const void *object, bool quoted);
/*
 * Reads text into a scalar field of object, as from a file. 0, or -EINVAL/-ERANGE with *ret_expected (malloc'ed, may be NULL when out of memory)
 * saying what is accepted: "a size such as \"64M\"". FIELD_STRV appends.
 */
int field_parse(const Field *field, void *object, const char *text, char **ret_expected);
/* What the field accepts, in words; NULL when out of memory. */
char *field_expected(const Field *field);

/* --- msgpack ------------------------------------------------------------------------------------------------- */

/* A map of all fields that differ from zero or empty, plus `extra`. */
void schema_pack(const Schema *schema, const void *object, Packer *p);
/*
 * Fills uninitialised object: missing fields get their default, unknown ones go to extra or are dropped. 0, -ENOMEM, or
 * -EBADMSG when a value has the wrong type or is out of range (then nothing needs schema_done); *ret_where, if wanted,
 * names the field ("containers.0.name", malloc'ed).
 */
int schema_unpack(const Schema *schema, void *object, const PackValue *v, char **ret_where) _warn_unused_;
/* Both in one go, from and to bytes. */
int schema_to_bytes(const Schema *schema, const void *object, Bytes *ret) _warn_unused_;
int schema_from_bytes(const Schema *schema, void *object, const void *data, size_t size,
                      const PackLimits *limits, char **ret_where) _warn_unused_;

/* --- comparing ----------------------------------------------------------------------------------------------- */

/* path: "containers.httpd.environment"; before or after is NULL where an item came or went. Both as field_format(). */
typedef void (*SchemaDiffFunc)(void *userdata, const char *path, const Field *field, const char *before,
                               const char *after);

/* Calls func (may be NULL) for each field that differs; returns the highest impact of them, IMPACT_NONE when nothing
 * differs (see *ret_n for that), or -ENOMEM. Items of a list are matched by key, else by position. */
int schema_diff(const Schema *schema, const void *before, const void *after, SchemaDiffFunc func,
                void *userdata, size_t *ret_n);

/* Fields of IMPACT_LIVE as `from` has them, also those of groups, and of list items that both have; the rest stays. 0 or -ENOMEM, with some of
 * them taken. */
int schema_take_live(const Schema *schema, const void *from, void *to) _warn_unused_;

/* --- for people ---------------------------------------------------------------------------------------------- */

/* What `explain PATH` prints; path NULL or "" explains the schema itself. -ENOENT with *ret_suggestion (a field name or
 * NULL, static) when there is no such field. */
int schema_explain(const Schema *schema, const char *path, FILE *f, const char **ret_suggestion);
/* The field list as mdoc(7) for the manual. */
int schema_manual(const Schema *schema, FILE *f);
