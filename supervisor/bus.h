/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The API (schemas/org.podvisor.Supervisor1.xml), with the same vtables, made from the rows of pod_status_schema, in two places:
 *
 * On the private socket every connection is a bus of its own. Only root and podvisord's own user get one (listener.h), so
 * all methods are open to those who have it. A client that does not read what it is sent loses its connection.
 *
 * On the message bus everybody may call, so each call waits for its permission (authority.h), by the table of methods in
 * bus-dispatch.c; what has no row there is refused. A signal is told there once, however many listen.
 *
 * All functions accept a NULL bus.
 */
#include <systemd/sd-bus.h>

#include "schemas/bus-address.h"
#include "supervisor/pod.h"

#define BUS_PATH "/org/podvisor/Supervisor1"
#define BUS_PODS_PATH BUS_PATH "/pod"
#define BUS_POD_INTERFACE BUS_NAME ".Pod"

typedef struct Bus Bus;

int bus_new(Bus **ret, Supervisor *supervisor);
Bus *bus_free(Bus *b);
DEFINE_CLEANUP(Bus *, bus_free)

void bus_pod_added(Bus *b, Pod *pod);
void bus_pod_removed(Bus *b, Pod *pod);
/* Tells the properties that differ from what was told last. */
void bus_pod_changed(Bus *b, Pod *pod);

/* --- the parts (bus-pod.c) --------------------------------------------------------------------------------------- */

/* The vtable of a pod's object; its userdata is the Pod. Freed by schema_bus_vtable_free(). */
int bus_pod_vtable(sd_bus_vtable **ret);
/* Names of the properties whose value has changed since the last call; the caller frees. NULL: none, or no memory. */
char **bus_pod_changes(Pod *pod);
