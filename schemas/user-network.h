/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The network of a pod with network.mode = "user", as its guest sees it: the same in every pod, since each has one of its own.
 *
 * The IPv6 address is a unique local one, which a guest's programs choose for what is local and for what has no IPv4 address;
 * so on a host without IPv6 they do not wait for it in vain.
 */
#define USER_NETWORK_ADDRESS "10.0.2.15"
#define USER_NETWORK_BITS "24"
#define USER_NETWORK_GATEWAY "10.0.2.2"
#define USER_NETWORK_DNS "10.0.2.3"
#define USER_NETWORK_ADDRESS6 "fd00:706f:6476::15"
#define USER_NETWORK_BITS6 "64"
#define USER_NETWORK_GATEWAY6 "fe80::1"
#define USER_NETWORK_HOST_MAC "02:00:00:00:00:01" /* of what answers the guest */

enum {
    USER_NETWORK_MTU = 65520, /* what passt takes at most */
    USER_NETWORK_MAC_SIZE = 18,
};

/* "02:1c:...": of the pod's own interface. Of its name alone, so that it stays over restarts, and is another for each pod of a
 * host. 0 or -ENOMEM. */
int user_network_mac(const char *pod, char ret[USER_NETWORK_MAC_SIZE]);
