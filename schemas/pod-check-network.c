/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/pod-check.h"
#include "schemas/publish.h"

/* A port that cannot be read is no port of another's. */
static void check_publish_twice(const Check *c, const char *path, const Publish *p, size_t n)
{
    char *const *texts = c->pod->network.publish;
    Publish other;
    uint16_t port;

    for (size_t i = 0; i < n; i++)
        if (publish_parse(texts[i], &other, NULL) >= 0 && publish_same_port(p, &other, &port))
            check_complain(
                c, path, "port %u/%s is published by \"%s\" already; one port of the host goes to one place",
                port, enum_to_string(&publish_protocol_table, (int)p->protocol), texts[i]);
}

void check_network(const Check *c)
{
    const NetworkDefinition *network = &c->pod->network;
    unsigned ports = 0;

    for (size_t i = 0; network->publish && network->publish[i]; i++) {
        _cleanup_(freep) char *path = strf("network.publish[%zu]", i), *why = NULL;
        Publish p;
        if (!path)
            return;
        if (publish_parse(network->publish[i], &p, &why) < 0) {
            _cleanup_(freep) char *escaped = str_escape(network->publish[i], strlen(network->publish[i]));
            _cleanup_(freep) char *cause = why ? str_escape(why, strlen(why)) : NULL;
            check_complain(c, path, "\"%s\" is not [ADDRESS:]PORT:PORT[/tcp|/udp]: %s", escaped ?: "?",
                           cause ?: "it cannot be read");
            continue;
        }
        check_publish_twice(c, path, &p, i);
        ports += p.count;
    }
    if (ports > PUBLISH_PORTS_MAX)
        check_complain(c, "network.publish", "has %u ports; at most %d are accepted", ports,
                       PUBLISH_PORTS_MAX);
    if (network->hosts && network->mode == NETWORK_NONE)
        check_complain(c, "network.hosts",
                       "there is no network that these hosts could be on; network.mode makes one");
    if (network->publish && network->mode == NETWORK_NONE)
        check_complain(c, "network.publish",
                       "there is no network to publish from; network.mode = \"user\" makes one");
}
