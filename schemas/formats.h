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
extern const Format format_file_mode;  /* "0400": octal, without set-user-id and its like */
extern const Format format_owner;      /* "1000:1000": numbers alone */
extern const Format format_credential; /* of systemd */
extern const Format format_content;    /* at most CONFIG_TEXT_MAX bytes */
extern const Format format_interface;  /* of a network: at most 15 characters */
extern const Format format_host;       /* a name and one address, with a colon between */
extern const Format format_ip_or_dhcp;
extern const Format format_ip;       /* an address, with or without /BITS */
extern const Format format_argument; /* of a command line: anything without NUL, at most 128 KiB */

/* "0400" -> 0400; -EINVAL. */
int file_mode_from_string(const char *text);
/* "1000:33" -> 1000, 33: 0 or -EINVAL. */
int owner_from_string(const char *text, uint32_t *ret_user, uint32_t *ret_group);
/* "TERM", "SIGTERM", "15" -> 15; -EINVAL. */
int signal_from_string(const char *word);
/* "SIGTERM"; "signal 77" for one without a name. The caller frees; NULL = no memory. */
char *signal_format(int signal);
