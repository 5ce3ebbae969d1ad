/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/message.h"

int message_to_bytes(const MessageTable *table, int type, uint64_t id, const void *body, Bytes *ret)
{
    const MessageType *t = &table->types[type];
    _cleanup_(packer_freep) Packer *p = NULL;
    Bytes bytes = { 0 };

    assert(type >= 0 && type < table->n_types && (!t->schema || body));
    if (packer_new(&p) < 0)
        return -ENOMEM;
    if (t->secret)
        packer_secret(p);
    packer_map(p, 2 + (t->schema != NULL));
    packer_string(p, "type");
    packer_string(p, t->name);
    packer_string(p, "id");
    packer_unsigned(p, id);
    if (t->schema) {
        packer_string(p, "body");
        schema_pack(t->schema, body, p);
    }
    int r = packer_finish(p, &bytes);
    if (r < 0)
        return r;
    if (bytes.size > table->limits.size) {
        bytes_done(&bytes);
        return -EMSGSIZE;
    }
    *ret = bytes;
    return 0;
}

static int type_find(const MessageTable *table, const PackValue *v)
{
    const uint8_t *name;
    size_t size;

    if (!v || pack_get_bytes(v, &name, &size) < 0)
        return -EBADMSG;
    for (int i = 0; i < table->n_types; i++)
        if (strlen(table->types[i].name) == size && memcmp(table->types[i].name, name, size) == 0)
            return i;
    return -ENOTSUP;
}

int message_from_bytes(const MessageTable *table, const void *data, size_t size, Message *ret)
{
    _cleanup_(pack_document_freep) PackDocument *d = NULL;
    _cleanup_(freep) void *body = NULL;
    uint64_t id = 0;

    int r = pack_parse(data, size, &table->limits, &d);
    if (r < 0)
        return r;
    int type = type_find(table, pack_find(pack_root(d), "type"));
    if (type < 0)
        return type;
    const PackValue *id_value = pack_find(pack_root(d), "id"), *body_value = pack_find(pack_root(d), "body");
    if (id_value && pack_get_unsigned(id_value, &id) < 0)
        return -EBADMSG;

    const Schema *schema = table->types[type].schema;
    if (schema) {
        if (!body_value)
            return -EBADMSG;
        if (!(body = calloc(1, schema->size)))
            return -ENOMEM;
        if ((r = schema_unpack(schema, body, body_value, NULL)) < 0)
            return r;
    }
    *ret = (Message){ .table = table, .type = type, .id = id, .body = take_ptr(body) };
    return 0;
}

void message_done(Message *m)
{
    if (m->body)
        schema_done(m->table->types[m->type].schema, m->body);
    free(m->body);
    *m = (Message){ 0 };
}
