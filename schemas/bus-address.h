/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which message bus an instance of podvisord works with, for it and for its clients. */
#include "schemas/daemon-config.h"
#include "schemas/paths.h"

#define BUS_NAME "org.podvisor.Supervisor1"

/* The address (the caller frees), or NULL for none. 0 or -ENOMEM. */
int bus_address(const Paths *paths, const DaemonConfig *config, char **ret);
