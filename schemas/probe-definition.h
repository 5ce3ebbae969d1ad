/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * How a container is asked whether it is well, as declared, and what the texts in it mean. Names of hosts are not looked up: whoever
 * probes must not wait for a resolver.
 */
#include "schemas/schema.h"

typedef enum ProbeKind {
    PROBE_STARTUP, /* has it come up? Until then the other two wait */
    PROBE_READY,   /* does it do its work now? */
    PROBE_ALIVE,   /* does it still make sense to let it run? */
    PROBE_KIND_MAX,
} ProbeKind;
extern const EnumTable probe_kind_table;

/* Of exec, tcp and http exactly one is given; with none there is no such probe. */
typedef struct ProbeDefinition {
    char **exec;
    char *tcp;      /* "[host]:port" */
    char *http;     /* "http://[host]:port/path" */
    char **headers; /* of http: "Name=value" */
    char *status;   /* of http: "200-399" */
    usec_t delay;
    usec_t period;
    usec_t timeout;
    uint64_t failures;  /* in a row, until it counts as failed */
    uint64_t successes; /* of ready: in a row, until it counts as passed */
} ProbeDefinition;
extern const Schema probe_schema;

bool probe_given(const ProbeDefinition *d);

typedef struct ProbeAddress {
    int family;          /* AF_INET, AF_INET6 */
    uint8_t address[16]; /* as inet_pton(3) fills it */
    uint16_t port;
} ProbeAddress;

typedef struct ProbeUrl {
    ProbeAddress address;
    const char *host; /* "[::1]:80", in the text that was parsed, and not terminated */
    size_t host_size;
    const char *path; /* "/" at least; in the text, or static */
} ProbeUrl;

/* Each 0, or -EINVAL. No host means the pod itself, 127.0.0.1. */
int probe_address_parse(const char *text, ProbeAddress *ret);
int probe_url_parse(const char *text, ProbeUrl *ret);
/* "204" or "200-399". */
int probe_status_parse(const char *text, unsigned *ret_min, unsigned *ret_max);
/* "Name=value", as it may stand in a request. */
bool probe_header_valid(const char *text);
