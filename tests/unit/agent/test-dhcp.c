/* SPDX-License-Identifier: Apache-2.0 */
/* An agent that leases its address, over interfaces of a network of the test's own. Skipped where it may have none. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/program.h"
#include "tests/unit/agent/dhcp-answer.h"
#include "tests/unit/agent/fixture.h"

static bool system_run(const char *script)
{
    char *arguments[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", NULL, NULL };
    _cleanup_(freep) char *text = strf("PATH=/usr/sbin:/usr/bin:/sbin:/bin; { %s; } && echo done", script);
    _cleanup_(bytes_done) Bytes output = { 0 };

    arguments[2] = text;
    assert_success(program_read(arguments, false, 30 * USEC_PER_SEC, 65536, &output));
    return output.size >= 5 && memcmp(output.data + output.size - 5, "done\n", 5) == 0;
}

/* The other end of the machine's interface: packets in and out. */
static int open_wire(void)
{
    const struct sockaddr_ll where = { .sll_family = AF_PACKET,
                                       .sll_protocol = htons(ETH_P_IP),
                                       .sll_ifindex = (int)if_nametoindex("server") };
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));

    assert_true(fd >= 0);
    assert_success(bind(fd, (const struct sockaddr *)&where, sizeof where));
    return fd;
}

static void wire_say(int fd, const void *data, size_t size)
{
    const struct sockaddr_ll to = { .sll_family = AF_PACKET,
                                    .sll_protocol = htons(ETH_P_IP),
                                    .sll_ifindex = (int)if_nametoindex("server"),
                                    .sll_halen = MAC_ADDRESS_SIZE,
                                    .sll_addr = ANSWER_MAC };
    (void)!sendto(fd, data, size, 0, (const struct sockaddr *)&to, sizeof to);
}

/* The kind of the next message to a server; 0: there is none now. */
static uint8_t wire_hear(int fd, int flags, uint8_t xid[4])
{
    uint8_t data[1500];
    ssize_t n;

    while ((n = recv(fd, data, sizeof data, flags)) > 0)
        if (n > TYPE && data[9] == IPPROTO_UDP && data[IP + 3] == 67) {
            memcpy(xid, data + XID, 4);
            return data[TYPE];
        }
    return 0;
}

typedef enum ServerKind { GENEROUS, REFUSING, NOISY } ServerKind;

static void serve_one(int fd, ServerKind kind)
{
    Packet p = plain();
    uint8_t asked = wire_hear(fd, 0, p.data + XID);

    ADD(&p, 51, "\x00\x00\x0e\x10");
    ADD(&p, 1, "\xff\xff\xff\xff"); /* a subnet of its own: the router is outside of it */
    ADD(&p, 3, "\x0a\x00\x00\x01");
    ADD(&p, 6, "\x0a\x00\x00\x03");
    ADD(&p, 15, "example.org");
    ADD(&p, 56, "not here");
    /* Cut short, or for another's question; no more than waits for the agent to come. */
    for (unsigned i = 1; kind == NOISY && i < 60; i++) {
        Packet noise = p;
        noise.data[OPTIONS + i] ^= (uint8_t)i;
        noise.data[XID] ^= 0xff;
        wire_say(fd, noise.data, noise.size);
        wire_say(fd, p.data, p.size - i);
    }
    p.data[TYPE] = asked == DHCP_DISCOVER ? DHCP_OFFER : kind == REFUSING ? DHCP_NAK : DHCP_ACK;
    wire_say(fd, p.data, p.size);
}

/* What plays the server; 0: nobody does. */
static pid_t server;

static void server_end(void)
{
    if (server > 0) {
        (void)kill(server, SIGKILL);
        assert_int_equal(waitpid(server, NULL, 0), server);
    }
    server = 0;
}

/* Does nothing where there is no network. Ended by server_end(), which each test is followed by. */
static void server_begin(ServerKind kind)
{
    int fd = if_nametoindex("server") > 0 ? open_wire() : -1;

    if (fd < 0)
        return;
    server = fork();
    assert_true(server >= 0);
    while (server == 0)
        serve_one(fd, kind);
    safe_close(fd);
}

/* Kinds of messages, as bits. */
static unsigned heard;

static int open_network(void **state)
{
    heard = 0;
    open_peer(state);
    Peer *p = *state;

    p->image = NULL;
    if (unshare(CLONE_NEWNET) < 0 ||
        !system_run("ip link add eth0 address 02:11:22:33:44:55 type veth peer name server && "
                    "ip link set server up && ip link set eth0 up"))
        p->fd = safe_close(p->fd);
    else
        peer_hello(p, 7, p->token, 1, AGENT_PROTOCOL_MAX);
    return 0;
}

static int close_network(void **state)
{
    server_end();
    return close_peer(state);
}

/* Asks for a machine that leases its address: the answer, and p->reply. Skips the test where there is no network. */
static int configure(Peer *p, usec_t timeout)
{
    CONTAINER(main, "main", "probe wait");
    AgentConfigure c = { .hostname = (char[]){ "web" },
                         .containers = &main,
                         .n_containers = 1,
                         .network = { .mac = (char[]){ "02:11:22:33:44:55" },
                                      .mtu = 1400,
                                      .dhcp = true,
                                      .lease_timeout = timeout } };

    if (p->fd < 0)
        skip();
    return peer_ask(p, AGENT_CONFIGURE, &c);
}

static bool file_has(const Peer *p, const char *name, const char *text)
{
    _cleanup_(freep) char *path = strf("%s/etc/%s", p->dir.path, name);
    _cleanup_(bytes_done) Bytes b = { 0 };

    assert_success(file_read_at(AT_FDCWD, path, 4096, &b));
    assert_success(bytes_terminate(&b));
    return strstr((const char *)b.data, text);
}

static void a_lease_is_all_there_before_the_answer(void **state)
{
    Peer *p = *state;

    server_begin(GENEROUS);
    assert_int_equal(configure(p, 20 * USEC_PER_SEC), 0);
    assert_true(system_run("ip address show dev eth0 | grep -q 'mtu 1400' && "
                           "ip address show dev eth0 | grep -q 'inet 10.0.0.57/32' && "
                           "ip route show default | grep -q 'default via 10.0.0.1 dev eth0'"));
    assert_true(file_has(p, "resolv.conf", "search example.org\nnameserver 10.0.0.3\n"));
    assert_true(file_has(p, "hosts", "10.0.0.57\tweb\n"));
    assert_int_equal(p->report.n_containers, 1);
    assert_string_equal(p->report.lease.address, "10.0.0.57/32");
    assert_string_equal(p->report.lease.server, "10.0.0.1");
    usec_t now = now_usec(CLOCK_REALTIME);
    assert_in_range(p->report.lease.expires, now + 3500 * USEC_PER_SEC, now + 3600 * USEC_PER_SEC);
    assert_null(p->report.lease.trouble);
}

static void without_a_server_it_is_told_and_can_be_tried_again(void **state)
{
    Peer *p = *state;

    assert_int_equal(configure(p, 50 * USEC_PER_MSEC), EADDRNOTAVAIL);
    assert_string_equal(p->reply, "no DHCP server answered within 50ms");
    assert_false(p->agent->configured);
    server_begin(GENEROUS);
    assert_int_equal(configure(p, 20 * USEC_PER_SEC), 0);
    /* And what stands is not begun again. */
    assert_int_equal(configure(p, 20 * USEC_PER_SEC), 0);
    assert_int_equal(configure(p, 21 * USEC_PER_SEC), EALREADY);
}

static void a_server_that_refuses_is_named_with_its_words(void **state)
{
    Peer *p = *state;

    server_begin(REFUSING);
    assert_int_equal(configure(p, USEC_PER_SEC), EADDRNOTAVAIL);
    assert_string_equal(p->reply,
                        "no DHCP server gave a lease within 1s: the DHCP server 10.0.0.1 refuses: not here");
}

static void noise_does_not_keep_it_from_its_lease(void **state)
{
    Peer *p = *state;

    server_begin(NOISY);
    assert_int_equal(configure(p, 20 * USEC_PER_SEC), 0);
    assert_string_equal(p->report.lease.address, "10.0.0.57/32");
}

/* Whether such a message has come over this wire since the test began to listen. */
static bool hears(int wire, uint8_t type)
{
    uint8_t xid[4];

    for (uint8_t next; (next = wire_hear(wire, MSG_DONTWAIT, xid));)
        heard |= 1U << next % 32;
    return heard & 1U << type;
}

static void time_that_a_paused_machine_has_not_seen_ages_its_lease(void **state)
{
    Peer *p = *state;

    server_begin(GENEROUS);
    assert_int_equal(configure(p, 20 * USEC_PER_SEC), 0);
    server_end();
    _cleanup_(closep) int wire = open_wire();
    /* Back is no time that has gone by. */
    peer_send(p, AGENT_CLOCK, &(AgentClock){ .round = 1, .step = -3000 * (int64_t)USEC_PER_SEC });
    peer_until(p, p->clock.round == 1);
    assert_false(hears(wire, DHCP_REQUEST));
    peer_send(p, AGENT_CLOCK, &(AgentClock){ .round = 2, .step = 2000 * (int64_t)USEC_PER_SEC });
    peer_until(p, hears(wire, DHCP_REQUEST));
    assert_true(system_run("ip address show dev eth0 | grep -q 10.0.0.57"));
    peer_send(p, AGENT_CLOCK, &(AgentClock){ .round = 3, .step = 2000 * (int64_t)USEC_PER_SEC });
    peer_until(p, hears(wire, DHCP_DISCOVER));
    assert_false(system_run("ip address show dev eth0 | grep -q 10.0.0.57"));
    assert_false(file_has(p, "hosts", "10.0.0.57"));
    peer_until(p, !p->report.lease.address);
    assert_string_equal(p->report.lease.trouble,
                        "the lease of 10.0.0.57 ran out, and no DHCP server made it longer");
    /* There is one again: all is as it was. */
    server_begin(GENEROUS);
    peer_send(p, AGENT_CLOCK, &(AgentClock){ .round = 4, .step = 100 * (int64_t)USEC_PER_SEC });
    peer_until(p, p->report.lease.address && !p->report.lease.trouble);
    assert_true(file_has(p, "hosts", "10.0.0.57\tweb\n"));
}

static void another_runner_gets_the_answer_that_the_first_one_waited_for(void **state)
{
    CONTAINER(main, "main", "probe wait");
    Peer *p = *state;
    AgentConfigure c = { .containers = &main,
                         .n_containers = 1,
                         .network = { .mac = (char[]){ "02:11:22:33:44:55" },
                                      .dhcp = true,
                                      .lease_timeout = 20 * USEC_PER_SEC } };

    if (p->fd < 0)
        skip();
    _cleanup_(closep) int wire = open_wire();
    peer_send(p, AGENT_CONFIGURE, &c);
    peer_until(p, hears(wire, DHCP_DISCOVER));
    peer_hello(p, 8, p->token, 1, AGENT_PROTOCOL_MAX);
    assert_false(p->welcome_configured);
    server_begin(GENEROUS);
    /* So that it asks again at once. */
    peer_send(p, AGENT_CLOCK, &(AgentClock){ .round = 1, .step = 100 * (int64_t)USEC_PER_SEC });
    assert_int_equal(peer_ask(p, AGENT_CONFIGURE, &c), 0);
    assert_string_equal(p->report.lease.address, "10.0.0.57/32");
}

static void a_lease_is_given_back_when_the_power_goes(void **state)
{
    Peer *p = *state;

    server_begin(GENEROUS);
    assert_int_equal(configure(p, 20 * USEC_PER_SEC), 0);
    server_end();
    _cleanup_(closep) int wire = open_wire();
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = USEC_PER_SEC }), 0);
    peer_until(p, p->powered_off);
    assert_true(hears(wire, DHCP_RELEASE));
}

int main(int argc, char *argv[])
{
#define WITH_NETWORK(test) cmocka_unit_test_setup_teardown(test, open_network, close_network)
    const struct CMUnitTest tests[] = {
        WITH_NETWORK(a_lease_is_all_there_before_the_answer),
        WITH_NETWORK(without_a_server_it_is_told_and_can_be_tried_again),
        WITH_NETWORK(a_server_that_refuses_is_named_with_its_words),
        WITH_NETWORK(noise_does_not_keep_it_from_its_lease),
        WITH_NETWORK(time_that_a_paused_machine_has_not_seen_ages_its_lease),
        WITH_NETWORK(another_runner_gets_the_answer_that_the_first_one_waited_for),
        WITH_NETWORK(a_lease_is_given_back_when_the_power_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
