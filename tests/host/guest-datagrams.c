/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams in a guest: answered with themselves, and, as a hostile guest can and a container's socket will not, put onto the wire
 * by hand for any IPv4 address at all.
 *
 * usage: guest-datagrams echo PORT
 *        guest-datagrams send INTERFACE ADDRESS PORT TEXT
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static uint16_t checksum(const void *data, size_t size)
{
    const uint16_t *p = data;
    uint32_t sum = 0;

    for (size_t i = 0; i < size / 2; i++)
        sum += p[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static int send_frame(char **argv)
{
    struct {
        struct ether_header ethernet;
        struct iphdr ip;
        struct udphdr udp;
        char text[64];
    } __attribute__((packed)) frame = { .ethernet.ether_type = htons(ETHERTYPE_IP) };

    if (strlen(argv[3]) >= sizeof frame.text)
        return 2;
    size_t text = strlen(argv[3]), size = offsetof(__typeof__(frame), text) + text;
    struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
    ip.tot_len = htons((uint16_t)(size - sizeof frame.ethernet));
    ip.saddr = inet_addr("10.0.2.15");
    ip.daddr = inet_addr(argv[1]);
    ip.check = checksum(&ip, sizeof ip);
    frame.ip = ip;
    frame.udp.source = htons(40000);
    frame.udp.dest = htons((uint16_t)atoi(argv[2]));
    frame.udp.len = htons((uint16_t)(sizeof frame.udp + text));
    memcpy(frame.text, argv[3], text);
    memset(frame.ethernet.ether_dhost, 0xff, sizeof frame.ethernet.ether_dhost);

    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argv[0]) };
    if (fd < 0 || sendto(fd, &frame, size, 0, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("send");
        return 1;
    }
    return 0;
}

static int echo(const char *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) }, from;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char text[1500];

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        perror("echo");
        return 1;
    }
    for (socklen_t size = sizeof from;; size = sizeof from) {
        ssize_t n = recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &size);
        if (n >= 0)
            (void)!sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&from, size);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "echo") == 0)
        return echo(argv[2]);
    return argc == 6 && strcmp(argv[1], "send") == 0 ? send_frame(argv + 2) : 2;
}
