/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/formats.h"
#include "schemas/template-protocol.h"

static const Field shape_fields[] = {
    { F_STRING(TemplateShape, key), .doc = "What it is, on this host, as a digest." },
    { F_ENUM(TemplateShape, machine, machine_table), .doc = "The kind of machine." },
    { F_ENUM(TemplateShape, accelerator, accelerator_table), .doc = "What runs its processors." },
    { F_UNSIGNED(TemplateShape, cpus), .min = 1, .max = 64, .doc = "How many of those it has." },
    { F_SIZE(TemplateShape, memory), .doc = "Its memory." },
    { F_BOOL(TemplateShape, network), .doc = "Whether it has a network interface." },
    { F_UNSIGNED(TemplateShape, spares), .max = TEMPLATE_SPARES_MAX,
      .doc = "How many spares are kept of it." },
    { F_STRING(TemplateShape, qemu), .format = &format_absolute_path, .doc = "The QEMU program." },
    { F_STRING(TemplateShape, kernel), .format = &format_absolute_path, .doc = "The guest's kernel." },
    { F_STRING(TemplateShape, initrd), .format = &format_absolute_path,
      .doc = "The guest's initial file system." },
};
DEFINE_SCHEMA(template_shape_schema, TemplateShape, "shape", "A machine that a template is wanted of.",
              shape_fields);

DEFINE_ENUM_TABLE(template_phase, "phase of a template",
                  TEMPLATE_PHASE_MAX, [TEMPLATE_QUEUED] = { "queued", "others are made first" },
                  [TEMPLATE_MAKING] = { "making", "its machine boots" },
                  [TEMPLATE_READY] = { "ready", "machines can start as copies of it" },
                  [TEMPLATE_FAILED] = { "failed",
                                        "it could not be made, and is tried again some minutes later" });

static const Field entry_fields[] = {
    { F_GROUP(TemplateEntry, shape, template_shape_schema), .doc = "Of which machines." },
    { F_ENUM(TemplateEntry, phase, template_phase_table), .doc = "What has become of it." },
    { F_STRING(TemplateEntry, failure), .doc = "Why it could not be made." },
    { F_SIZE(TemplateEntry, size), .doc = "How much of the host's memory it takes." },
    { F_UNSIGNED(TemplateEntry, starts), .doc = "How many machines were started from it." },
    { F_DURATION(TemplateEntry, unused), .doc = "Since when it was not." },
    { F_UNSIGNED(TemplateEntry, spares), .doc = "How many spares of it wait." },
    { F_SIZE(TemplateEntry, spares_size), .doc = "How much of the host's memory those take besides." },
};
DEFINE_SCHEMA(template_entry_schema, TemplateEntry, "template", "A template that somebody wanted.",
              entry_fields);

static const Field none_fields[] = {
    { F_STRING(TemplateNone, message), .doc = "Why there is none." },
};
DEFINE_SCHEMA(template_none_schema, TemplateNone, "none", "There is no such template.", none_fields);

static const Field spare_fields[] = {
    { F_ID128(TemplateSpare, uuid), .doc = "The identity of the machine." },
    { F_UNSIGNED(TemplateSpare, pid), .min = 1, .max = INT32_MAX, .doc = "QEMU's process." },
    { F_UNSIGNED(TemplateSpare, start_time), .doc = "When that process began, in clock ticks of the boot." },
};
DEFINE_SCHEMA(template_spare_schema, TemplateSpare, "spare", "A copy that waits for its pod.", spare_fields);

static const MessageType types[] = {
    [TEMPLATE_WANT] = { "want", &template_shape_schema, "a template is wanted" },
    [TEMPLATE_MEMORY] = { "memory", NULL, "the descriptor that comes along is the guest's memory" },
    [TEMPLATE_STATE] = { "state", NULL, "the descriptor that comes along is the machine's state" },
    [TEMPLATE_MADE] = { "made", NULL, "both have been filled" },
    [TEMPLATE_NONE] = { "none", &template_none_schema, "there is none" },
    [TEMPLATE_LIST] = { "list", NULL, "all are asked for" },
    [TEMPLATE_ENTRY] = { "entry", &template_entry_schema, "one of them" },
    [TEMPLATE_MAKE] = { "make", &template_shape_schema, "one is to be made now" },
    [TEMPLATE_SPARE] = { "spare", &template_spare_schema,
                         "a copy of it waits; the descriptor that may come along is the claim to it" },
    [TEMPLATE_DIRECTORY] = { "directory", NULL, "the descriptor that comes along is the spare's directory" },
    [TEMPLATE_BELL] = { "bell", NULL, "the descriptor that comes along is the bell of the spare's console" },
};
_Static_assert(ELEMENTSOF(types) == TEMPLATE_MESSAGE_MAX, "every message has a row");

const MessageTable template_protocol = {
    .what = "template protocol",
    .types = types,
    .n_types = TEMPLATE_MESSAGE_MAX,
    .limits = { .size = TEMPLATE_PACKET_MAX, .depth = 3, .count = 64 },
};
