/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/abilities-libvirt.h"
#include "backends/libvirt/domain-fragment.h"
#include "base/strings.h"

const char *const libvirt_missing = NULL;

bool libvirt_refuses_cpu_model(const PodDefinition *pod, const AbilitySettings *settings, char **ret_sentence)
{
    const LibvirtOptions *o = &pod->libvirt;

    if (o->accelerator != ACCELERATOR_TCG || !streq_ptr(o->cpu_model, "host-passthrough"))
        return false;
    *ret_sentence = strdup(
        "\"host-passthrough\" needs KVM, and libvirt.accelerator is \"tcg\"; take \"maximum\" or \"auto\"");
    return true;
}

const char *libvirt_bars_xml(const AbilitySettings *settings)
{
    return settings->libvirt_xml ? NULL : "podvisord.conf does not allow it: that takes libvirt_xml = true";
}

/* A file may be wrong in both ways. */
bool libvirt_refuses_xml(const PodDefinition *pod, const AbilitySettings *settings, char **ret_sentence)
{
    const char *barred = libvirt_bars_xml(settings);
    _cleanup_(freep) char *message = NULL;

    int r = pod->libvirt.xml ? domain_fragment_check(pod->libvirt.xml, &message) : 0;
    const char *wrong = r == -EBADMSG ? message ?: "it is not well-formed" : r < 0 ? strerror(-r) : NULL;
    if (!wrong && !barred)
        return false;
    *ret_sentence = strf("%s%s%s", barred ?: "", barred && wrong ? "; besides, " : "", wrong ?: "");
    return true;
}
