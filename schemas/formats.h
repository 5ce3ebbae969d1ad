/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What strings must look like, named once for pod files and protocols alike. */
#include "schemas/schema.h"

extern const Format format_name;          /* of pods, containers, volumes: a DNS label */
extern const Format format_registry;      /* host[:port] */
extern const Format format_image;         /* [registry/]name[:tag] or sha256:... */
extern const Format format_absolute_path; /* no . or .. or empty components */
extern const Format format_cpu_model;
extern const Format format_user;       /* name or number, with :group or :number */
extern const Format format_group;      /* name or number */
extern const Format format_capability; /* NET_BIND_SERVICE */
extern const Format format_signal;     /* TERM, SIGTERM or a number */
extern const Format format_line;       /* printable text without line breaks */
extern const Format format_argument;   /* of a command line: anything without NUL, at most 128 KiB */

/* "TERM", "SIGTERM", "15" -> 15; -EINVAL. */
int signal_from_string(const char *word);
/* "SIGTERM"; "signal 77" for one without a name. The caller frees; NULL = no memory. */
char *signal_format(int signal);
