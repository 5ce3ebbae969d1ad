/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/digest.h"
#include "base/strings.h"
#include "schemas/user-network.h"

int user_network_mac(const char *pod, char ret[USER_NETWORK_MAC_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    _cleanup_(freep) char *text = strf("podvisor network interface of %s", pod);

    if (!text)
        return -ENOMEM;
    sha256(text, strlen(text), digest);
    (void)snprintf(ret, USER_NETWORK_MAC_SIZE, "02:%02x:%02x:%02x:%02x:%02x", digest[0], digest[1], digest[2],
                   digest[3], digest[4]);
    return 0;
}
