/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * XML as text, element by element. Whatever is written is escaped; what XML 1.0 has no way to say (control bytes, what is not
 * UTF-8) makes the whole text fail instead of becoming something else. The first error sticks and is told at the end.
 */
#include "base/bytes.h"

typedef struct XmlWriter {
    Bytes text;
    unsigned depth; /* of open elements */
    bool compact;   /* no line breaks or blanks but those that are written */
    int error;
} XmlWriter;

/* Attributes: name, value, ..., NULL. An attribute whose value is NULL is left out. */
void xml_open(XmlWriter *w, const char *name, ...) __attribute__((sentinel));
void xml_close(XmlWriter *w, const char *name);
/* An element with nothing in it but attributes. */
void xml_empty(XmlWriter *w, const char *name, ...) __attribute__((sentinel));
/* An element that holds this text only; attributes as above. */
void xml_leaf(XmlWriter *w, const char *text, const char *name, ...) __attribute__((sentinel));

/* xml_open() from a vector, as a parser has it. */
void xml_open_with(XmlWriter *w, const char *name, const char *const *attributes);
void xml_text(XmlWriter *w, const char *text, size_t size);
/* What another writer has written, as it is. */
void xml_raw(XmlWriter *w, const char *text);

/* The text (malloc'ed), and the writer is empty again: 0, -EINVAL for what XML cannot say, -ENOMEM. */
int xml_finish(XmlWriter *w, char **ret);
