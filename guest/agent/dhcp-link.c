/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "guest/agent/dhcp-link.h"
#include "guest/agent/dhcp-packet.h"

void dhcp_link_init(DhcpLink *l, unsigned interface)
{
    *l = (DhcpLink){ .interface = interface, .packets = -1, .port = -1 };
}

/* UDP to a client's port, not in pieces; all else costs no wake-up. */
static int attach_filter(int fd)
{
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 4, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_CLIENT_PORT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = { .len = ELEMENTSOF(code), .filter = code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

/* Bound after it filters: before, it is on no protocol and gets nothing. */
static int open_packets(unsigned interface)
{
    const struct sockaddr_ll where = { .sll_family = AF_PACKET,
                                       .sll_protocol = htons(ETH_P_IP),
                                       .sll_ifindex = (int)interface };
    _cleanup_(closep) int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    int r = attach_filter(fd);
    if (r < 0)
        return r;
    return bind(fd, (const struct sockaddr *)&where, sizeof where) < 0 ? -errno : take_fd(&fd);
}

/* Best effort: a container may have the port. */
static int open_port(unsigned interface)
{
    const struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(DHCP_CLIENT_PORT) };
    _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char name[IF_NAMESIZE];
    const int least = 1;

    if (fd < 0 || !if_indextoname(interface, name) ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) < 0 ||
        bind(fd, (const struct sockaddr *)&where, sizeof where) < 0)
        return -1;
    return take_fd(&fd);
}

int dhcp_link_open(DhcpLink *l)
{
    if (l->packets >= 0)
        return 0;
    l->packets = open_packets(l->interface);
    if (l->packets < 0)
        return l->packets;
    l->port = open_port(l->interface);
    return 0;
}

void dhcp_link_close(DhcpLink *l)
{
    l->packets = safe_close(l->packets);
    l->port = safe_close(l->port);
}

int dhcp_link_send(DhcpLink *l, const DhcpRequest *request)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_IP),
                              .sll_ifindex = (int)l->interface,
                              .sll_halen = MAC_ADDRESS_SIZE };
    uint8_t packet[DHCP_PACKET_MAX];
    size_t size = dhcp_encode(request, packet);

    if (request->to.s_addr == INADDR_BROADCAST || !l->server_known)
        memset(to.sll_addr, 0xff, MAC_ADDRESS_SIZE);
    else
        memcpy(to.sll_addr, l->server, MAC_ADDRESS_SIZE);
    if (sendto(l->packets, packet, size, 0, (const struct sockaddr *)&to, sizeof to) < 0)
        return -errno;
    return 0;
}

size_t dhcp_link_receive(DhcpLink *l, uint8_t *ret, size_t size, uint8_t ret_from[MAC_ADDRESS_SIZE])
{
    struct sockaddr_ll from = { 0 };
    socklen_t from_size = sizeof from;

    ssize_t n = recvfrom(l->packets, ret, size, 0, (struct sockaddr *)&from, &from_size);
    memcpy(ret_from, from.sll_addr, MAC_ADDRESS_SIZE);
    return n < 0 ? 0 : (size_t)n;
}

void dhcp_link_trust(DhcpLink *l, const uint8_t from[MAC_ADDRESS_SIZE])
{
    memcpy(l->server, from, sizeof l->server);
    l->server_known = true;
}
