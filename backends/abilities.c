/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/abilities-libvirt.h"
#include "base/strings.h"

DEFINE_ENUM_TABLE(ability_word, "support",
                  ABILITY_MAX, [ABILITY_NONE] = { "none", "the table has no word about it" },
                  [ABILITY_WORKS] = { "yes", "it works as the manual says" },
                  [ABILITY_PARTLY] = { "partly", "it works; some of what can be written is refused" },
                  [ABILITY_WITHOUT_EFFECT] = { "no effect", "it may stand there, and does nothing" },
                  [ABILITY_REFUSED] = { "refused", "a pod with this backend may not have it" });

#define WORKS                                                                                                \
    {                                                                                                        \
        ABILITY_WORKS                                                                                        \
    }
#define WORKS_AS(why)                                                                                        \
    {                                                                                                        \
        ABILITY_WORKS, why                                                                                   \
    }
#define PARTLY(...)                                                                                          \
    {                                                                                                        \
        ABILITY_PARTLY, __VA_ARGS__                                                                          \
    }
#define NO_EFFECT(why)                                                                                       \
    {                                                                                                        \
        ABILITY_WITHOUT_EFFECT, why                                                                          \
    }

#define EVERYWHERE                                                                                           \
    {                                                                                                        \
        [BACKEND_QEMU] = WORKS, [BACKEND_LIBVIRT] = WORKS, [BACKEND_NULL] = WORKS                            \
    }
#define WITH_A_MACHINE(why)                                                                                  \
    {                                                                                                        \
        [BACKEND_QEMU] = WORKS, [BACKEND_LIBVIRT] = WORKS, [BACKEND_NULL] = NO_EFFECT(why)                   \
    }
#define OF_QEMU(...)                                                                                         \
    {                                                                                                        \
        [BACKEND_QEMU] = __VA_ARGS__, [BACKEND_LIBVIRT] = NO_EFFECT(OTHER),                                  \
        [BACKEND_NULL] = NO_EFFECT(OTHER)                                                                    \
    }
#define OF_LIBVIRT(...)                                                                                      \
    {                                                                                                        \
        [BACKEND_QEMU] = NO_EFFECT(OTHER), [BACKEND_LIBVIRT] = __VA_ARGS__,                                  \
        [BACKEND_NULL] = NO_EFFECT(OTHER)                                                                    \
    }
#define OF_NULL(...)                                                                                         \
    {                                                                                                        \
        [BACKEND_QEMU] = NO_EFFECT(OTHER), [BACKEND_LIBVIRT] = NO_EFFECT(OTHER),                             \
        [BACKEND_NULL] = __VA_ARGS__                                                                         \
    }

#define OTHER "it is another backend's"
#define NO_MACHINE "there is no machine"
#define NO_PROGRAM "no program runs; each container counts as running until the pod ends"

/* libvirt would start passt itself, without what stands between it and the guest (uplink/filter.h). */
static bool refuses_network(const PodDefinition *pod, const AbilitySettings *settings, char **ret_sentence)
{
    if (pod->network.mode == NETWORK_NONE)
        return false;
    *ret_sentence = strdup(
        pod->network.mode == NETWORK_BRIDGE
            ? "is \"bridge\", which the libvirt backend has not: its machines are libvirt's, which takes no "
              "tap "
              "that podvisor has made; the qemu backend has it, and libvirt.xml may hold an <interface>"
            : "is \"user\", which the libvirt backend has not: libvirt starts passt without what keeps a "
              "guest "
              "from the host's loopback addresses; the qemu backend has it");
    return true;
}

/* The place of the first volume that is live; that behind the last one: none is. */
static size_t live_share(const PodDefinition *pod)
{
    size_t i = 0;

    while (i < pod->n_volumes && !volume_is_live(&pod->volumes[i]))
        i++;
    return i;
}

static bool qemu_refuses_share(const PodDefinition *pod, const AbilitySettings *settings, char **ret_sentence)
{
    if (live_share(pod) == pod->n_volumes || pod->qemu.machine != MACHINE_MICROVM)
        return false;
    *ret_sentence =
        strdup("is \"live\", which needs a machine with PCI: qemu.machine = \"q35\", and this one is a "
               "\"microvm\", which can have a share of mode \"copy\" only");
    return true;
}

/* libvirt would start virtiofsd itself, as root. */
static bool libvirt_refuses_share(const PodDefinition *pod, const AbilitySettings *settings,
                                  char **ret_sentence)
{
    if (live_share(pod) == pod->n_volumes)
        return false;
    *ret_sentence =
        strdup("is \"live\", which the libvirt backend has not: libvirt starts virtiofsd as root, and not "
               "as the owner of the directory; the qemu backend has it");
    return true;
}

const AbilityRow ability_rows[] = {
    { "description", EVERYWHERE },
    { "backend", EVERYWHERE },
    { "autostart", EVERYWHERE },
    { "after", EVERYWHERE },
    { "requires", EVERYWHERE },
    { "cpus", WITH_A_MACHINE(NO_MACHINE) },
    { "memory", WITH_A_MACHINE(NO_MACHINE) },
    { "start_timeout", EVERYWHERE },
    { "stop_timeout", EVERYWHERE },
    { "restart", EVERYWHERE },
    { "share_pids", WITH_A_MACHINE(NO_PROGRAM) },
    { "shm_size", WITH_A_MACHINE(NO_MACHINE) },
    { "sysctls", WITH_A_MACHINE(NO_MACHINE) },
    { "network", WITH_A_MACHINE(NO_MACHINE) },
    { "network.mode",
      { [BACKEND_QEMU] = WORKS_AS("\"user\" needs passt, \"bridge\" a podvisord that runs as root"),
        [BACKEND_LIBVIRT] = PARTLY("all but \"none\" is refused", refuses_network),
        [BACKEND_NULL] = NO_EFFECT(NO_MACHINE) } },
    { "volumes", WITH_A_MACHINE(NO_MACHINE) },
    { "volumes.mode",
      { [BACKEND_QEMU] = PARTLY("\"live\" needs qemu.machine = \"q35\", virtiofsd, and a pod without a unit",
                                qemu_refuses_share),
        [BACKEND_LIBVIRT] = PARTLY("\"live\" is refused", libvirt_refuses_share),
        [BACKEND_NULL] = NO_EFFECT(NO_MACHINE) },
      .element = live_share },
    { "volumes.source",
      { [BACKEND_QEMU] = WORKS,
        [BACKEND_LIBVIRT] =
            WORKS_AS("libvirt's user must be able to use it, which podvisord sees to in its own "
                     "directory, and not elsewhere"),
        [BACKEND_NULL] = NO_EFFECT(NO_MACHINE) } },
    { "secrets", WITH_A_MACHINE(NO_MACHINE) },
    { "configs", WITH_A_MACHINE(NO_MACHINE) },
    { "init", WITH_A_MACHINE("no program runs; each counts as ended well as soon as the pod runs") },
    { "containers", WITH_A_MACHINE(NO_PROGRAM) },
    { "containers.name", EVERYWHERE },
    { "containers.image",
      { [BACKEND_QEMU] = WORKS,
        [BACKEND_LIBVIRT] = WORKS_AS("libvirt's user must be able to read it, which podvisord sees to"),
        [BACKEND_NULL] = WORKS_AS("it must be there, and is not run") } },
    { "containers.pull", WITH_A_MACHINE("no image is looked for") },
    { "qemu.machine",
      OF_QEMU(WORKS_AS("\"microvm\" without KVM needs a processor with a steady time stamp counter")) },
    { "qemu.start", OF_QEMU(WORKS) },
    { "qemu.accelerator", OF_QEMU(WORKS_AS("\"kvm\" needs a host that can run a machine with it")) },
    { "libvirt.uri", OF_LIBVIRT(WORKS_AS("daemons of this host only")) },
    { "libvirt.machine", OF_LIBVIRT(WORKS) },
    { "libvirt.accelerator", OF_LIBVIRT(WORKS_AS("\"kvm\" needs a host that can run a machine with it")) },
    { "libvirt.cpu_model",
      OF_LIBVIRT(PARTLY("\"host-passthrough\" is refused where the accelerator is \"tcg\"",
                        libvirt_refuses_cpu_model)) },
    { "libvirt.security_label",
      OF_LIBVIRT(WORKS_AS("a label needs a security driver of libvirt that confines machines by it")) },
    { "libvirt.xml", OF_LIBVIRT(PARTLY("refused where it touches what podvisor owns", libvirt_refuses_xml,
                                       libvirt_bars_xml)) },
    { "null", OF_NULL(WORKS) },
};
const size_t n_ability_rows = ELEMENTSOF(ability_rows);

const AbilityRow *ability_row(const char *key)
{
    const AbilityRow *found = NULL;

    TABLE_FOREACH (row, ability_rows) {
        const char *rest = str_after(key, row->key);
        if (rest && (!*rest || *rest == '.') && (!found || strlen(row->key) > strlen(found->key)))
            found = row;
    }
    return found;
}

const char *ability_missing(BackendKind backend)
{
    return backend == BACKEND_LIBVIRT ? libvirt_missing : NULL;
}

/* Where the pod file may have what is refused (malloc'ed). */
static char *path_of(const AbilityRow *row, const PodDefinition *pod)
{
    const char *dot = strrchr(row->key, '.');

    if (!row->element || !dot)
        return strdup(row->key);
    return strf("%.*s[%zu]%s", (int)(dot - row->key), row->key, row->element(pod), dot);
}

void abilities_check(const PodDefinition *pod, const AbilitySettings *settings, const char *file,
                     const Locations *locations, Diagnostics *diagnostics)
{
    const char *backend = enum_to_string(&backend_kind_table, (int)pod->backend),
               *missing = ability_missing(pod->backend);

    if (missing)
        diagnostics_add(diagnostics, file, locations_line(locations, "backend"),
                        "backend: the %s backend is not there: %s", backend, missing);
    TABLE_FOREACH (row, ability_rows) {
        const AbilityCell *cell = &row->on[pod->backend];
        _cleanup_(freep) char *sentence = NULL, *path = path_of(row, pod);
        if (!cell->refuses || !path || !locations_given(locations, path) ||
            !cell->refuses(pod, settings, &sentence))
            continue;
        diagnostics_add(diagnostics, file, locations_line(locations, path), "%s: %s", path,
                        sentence ?: "the backend refuses it");
    }
}

int pod_file_read(PodDefinition *pod, const AbilitySettings *settings, const char *file, const Bytes *text,
                  Diagnostics *diagnostics, PodLines *ret_lines)
{
    _cleanup_(locations_done) Locations locations = { 0 };
    size_t before = diagnostics->n_items;

    int r = pod_definition_read(pod, file, text->data ?: (const uint8_t *)"", text->size, diagnostics,
                                &locations);
    if (r < 0)
        return r;
    abilities_check(pod, settings, file, &locations, diagnostics);
    if (ret_lines)
        *ret_lines = pod_lines(&locations);
    return diagnostics->n_items > before || diagnostics->lost;
}
