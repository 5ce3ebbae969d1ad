/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "schemas/backend-description.h"

static const Field accelerator_fields[] = {
    { F_STRING(AcceleratorDescription, name), .doc = "The accelerator." },
    { F_BOOL(AcceleratorDescription, usable), .doc = "Whether this host can run a guest with it." },
    { F_STRING(AcceleratorDescription, note), .doc = "Why not, or what it costs." },
};
DEFINE_SCHEMA(accelerator_description_schema, AcceleratorDescription, "accelerator",
              "What runs the guest's processor.", accelerator_fields);

static const Field daemon_fields[] = {
    { F_STRING(DaemonDescription, uri), .doc = "Which daemon." },
    { F_BOOL(DaemonDescription, reachable), .doc = "Whether it answers." },
    { F_STRING(DaemonDescription, version), .doc = "Its version." },
    { F_STRING(DaemonDescription, note), .doc = "Why it does not answer." },
};
DEFINE_SCHEMA(daemon_description_schema, DaemonDescription, "daemon",
              "A process that the backend cannot do without.", daemon_fields);

static const Field description_fields[] = {
    { F_STRING(BackendDescription, name), .doc = "The backend." },
    { F_STRING(BackendDescription, version), .doc = "The version of podvisor that its program is of." },
    { F_STRING(BackendDescription, vmm), .doc = "What runs the machines, with its version." },
    { F_BOOL(BackendDescription, usable), .doc = "Whether a pod can be started with it on this host." },
    { F_STRING(BackendDescription, note), .doc = "Why not." },
    { F_LIST(BackendDescription, accelerators, accelerator_description_schema), .max = 16,
      .doc = "What can run the guest's processor." },
    { F_LIST(BackendDescription, daemons, daemon_description_schema), .max = 16,
      .doc = "The processes that it needs." },
};
DEFINE_SCHEMA(backend_description_schema, BackendDescription, "description",
              "What a backend finds on this host.", description_fields);

int backend_description_accelerator(BackendDescription *d, const char *name, bool usable, char *note)
{
    AcceleratorDescription *a = field_append(schema_field(&backend_description_schema, "accelerators"), d);

    if (!a || str_replace(&a->name, name) < 0) {
        free(note);
        return -ENOMEM;
    }
    a->usable = usable;
    a->note = note;
    return 0;
}

int backend_description_refuse(BackendDescription *d, char *note)
{
    free(d->note);
    d->note = note;
    d->usable = false;
    return note ? 0 : -ENOMEM;
}
