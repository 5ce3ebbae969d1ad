/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/abilities-libvirt.h"

const char *const libvirt_missing = "this podvisor was built without it";

/* Whoever asks is told that already. */
bool libvirt_refuses_cpu_model(const PodDefinition *pod, const AbilitySettings *settings, char **ret_sentence)
{
    return false;
}

const char *libvirt_bars_xml(const AbilitySettings *settings)
{
    return NULL;
}

bool libvirt_refuses_xml(const PodDefinition *pod, const AbilitySettings *settings, char **ret_sentence)
{
    return false;
}
