/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "tests/unit/agent/fixture.h"

const char *fixture_probe;
char image[] = "/tmp/podvisor-test-image-XXXXXX";

int make_image(void **state)
{
    static const char passwd[] = "root:x:0:0::/root:\nwww:x:33:34::/srv:\n";
    /* A program for a processor that this machine has not. */
    static const uint8_t foreign[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2, [18] = 0xb7, [20] = 1 };
    _cleanup_(bytes_done) Bytes program = { 0 };

    assert_non_null(mkdtemp(image));
    assert_success(chmod(image, 0755));
    _cleanup_(closep) int dir = dir_open_at(AT_FDCWD, image);
    assert_success(mkdirat(dir, "bin", 0755));
    assert_success(mkdirat(dir, "etc", 0755));
    assert_success(file_read_at(AT_FDCWD, fixture_probe, 64 << 20, &program));
    assert_success(symlinkat("../run/nowhere/stub-resolv.conf", dir, "etc/resolv.conf"));
    _cleanup_(closep) int bin = dir_open_at(dir, "bin"), etc = dir_open_at(dir, "etc");
    assert_success(file_replace_at(bin, "probe", program.data, program.size, 0755));
    assert_success(file_replace_at(bin, "foreign", foreign, sizeof foreign, 0755));
    assert_success(file_replace_at(bin, "script", "#!/bin/nothing\n", 15, 0755));
    assert_success(file_replace_at(bin, "data", "x", 1, 0644));
    assert_success(file_replace_at(etc, "passwd", passwd, sizeof passwd - 1, 0644));
    return 0;
}

int remove_image(void **state)
{
    assert_success(tree_remove_at(AT_FDCWD, image));
    return 0;
}

int open_peer(void **state)
{
    Peer *p = calloc(1, sizeof *p);

    assert_non_null(p);
    peer_open(p);
    p->image = image;
    *state = p;
    return 0;
}

int close_peer(void **state)
{
    peer_close(*state);
    free(*state);
    return 0;
}

AgentContainer container(const char *name, const char *command)
{
    AgentContainer c;

    assert_success(schema_init(&agent_container_schema, &c));
    assert_success(str_replace(&c.definition.name, name));
    assert_success(str_replace(&c.definition.image, "probe"));
    c.definition.restart.policy = RESTART_NEVER;
    c.definition.restart.delay = c.definition.restart.max_delay = USEC_PER_MSEC;
    assert_non_null(c.command = strv_split(command, " "));
    return c;
}

void container_done_test(AgentContainer *c)
{
    schema_done(&agent_container_schema, c);
}

Peer *start(void **state, const AgentContainer *c, size_t n)
{
    Peer *p = *state;

    if (!peer_can_run(p))
        skip();
    peer_configure(p, c, n);
    return p;
}

const ContainerReport *ended(Peer *p, const char *name)
{
    peer_until(p, peer_state_is(p, name, CONTAINER_ENDED));
    return peer_container(p, name);
}
