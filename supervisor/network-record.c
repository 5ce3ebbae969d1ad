/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "supervisor/network-record.h"

static const Field allotment_fields[] = {
    { F_STRING(Allotment, pod), .flags = FIELD_KEY, .doc = "The pod." },
    { F_STRING(Allotment, address), .doc = "Its address." },
};
DEFINE_SCHEMA(allotment_schema, Allotment, "allotment", "An address of a network, and whose it is.",
              allotment_fields);

static const Field fields[] = {
    { F_STRING(NetworkRecord, name), .doc = "The network's name." },
    { F_GROUP(NetworkRecord, made, managed_network_schema), .doc = "As its bridge was made." },
    { F_STRV(NetworkRecord, leftovers), .doc = "Bridges that are to be taken away." },
    { F_LIST(NetworkRecord, allotments, allotment_schema), .doc = "The addresses of its pods." },
};
DEFINE_SCHEMA_EXTRA(network_record_schema, NetworkRecord, "network record",
                    "What podvisord remembers of a network.", fields);

const CheckpointKind network_record_kind = { .name = "network",
                                             .version = 1,
                                             .schema = &network_record_schema };

Allotment *network_record_find(const NetworkRecord *r, const char *pod)
{
    for (size_t i = 0; i < r->n_allotments; i++)
        if (streq_ptr(r->allotments[i].pod, pod))
            return &r->allotments[i];
    return NULL;
}

const Allotment *network_record_holder(const NetworkRecord *r, const char *address)
{
    for (size_t i = 0; i < r->n_allotments; i++)
        if (ip_text_equal(r->allotments[i].address, address))
            return &r->allotments[i];
    return NULL;
}

int network_record_allot(NetworkRecord *r, const char *pod, const char *address)
{
    const Field *field = schema_field(&network_record_schema, "allotments");
    Allotment *a = network_record_find(r, pod);

    if (a)
        return str_replace(&a->address, address);
    _cleanup_(freep) char *name = strdup(pod), *copy = strdup(address);
    if (!name || !copy || !(a = field_append(field, r)))
        return -ENOMEM;
    a->pod = take_ptr(name);
    a->address = take_ptr(copy);
    return 0;
}

void network_record_release(NetworkRecord *r, Allotment *allotment)
{
    size_t behind = (size_t)(r->allotments + r->n_allotments - (allotment + 1));

    schema_done(&allotment_schema, allotment);
    memmove(allotment, allotment + 1, behind * sizeof *allotment);
    r->n_allotments--;
}
