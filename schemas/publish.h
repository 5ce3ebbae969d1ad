/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A published port: an element of network.publish, read. Text in the pod file, in the records and in what is shown; this
 * struct only where something is done with it, so that there is one form of it to store.
 *
 *     [ADDRESS:]PORT[-PORT]:PORT[-PORT][/tcp|/udp]     of the host, then of the pod
 */
#include <netinet/in.h>

#include "base/enum-table.h"

enum { PUBLISH_PORTS_MAX = 1024 }; /* of one pod, all ranges together: each is a socket of the host, or two */

typedef enum PublishProtocol {
    PUBLISH_TCP,
    PUBLISH_UDP,
    PUBLISH_PROTOCOL_MAX,
} PublishProtocol;
extern const EnumTable publish_protocol_table;

typedef struct Publish {
    PublishProtocol protocol;
    sa_family_t family; /* AF_INET, AF_INET6; AF_UNSPEC: every address of the host */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } address;
    uint16_t host, guest; /* the first port of each */
    uint16_t count;       /* of ports; never 0, and never beyond 65535 */
} Publish;

/* 0, or -EINVAL with *ret_why (may be NULL), a clause that says what is wrong with the text (malloc'ed; NULL: out of memory). */
int publish_parse(const char *text, Publish *ret, char **ret_why);

/* "127.0.0.1:8080/tcp", "[::1]:53/udp": the i-th port of it on the host. The caller frees; NULL = no memory. */
char *publish_format_port(const Publish *p, unsigned i);
/* The address as passt and people write it, without brackets; "" for every address. NULL = no memory. */
char *publish_format_address(const Publish *p);
/* Of one socket of the host; length 0 for AF_UNSPEC. */
typedef struct PublishSocket {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t length;
} PublishSocket;
PublishSocket publish_socket(const Publish *p, unsigned i, sa_family_t family);

/* Do both have the same port of the same protocol, whatever the address? *ret is its number; may be NULL. */
bool publish_same_port(const Publish *a, const Publish *b, uint16_t *ret);
/* Can there be only one of both on a host: the same port at an address that both have? */
bool publish_collide(const Publish *a, const Publish *b, uint16_t *ret);
/* The first of a pod's ports that another pod has too: malloc'ed "127.0.0.1:8080/tcp"; NULL: none, or out of memory. */
char *publish_collision(char *const *mine, char *const *theirs);
