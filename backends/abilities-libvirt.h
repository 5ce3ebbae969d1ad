/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What of the libvirt group is refused: libvirt/abilities-libvirt.c, or abilities-no-libvirt.c in a build without libvirt. */
#include "backends/abilities.h"

extern const char *const libvirt_missing; /* as ability_missing() */

bool libvirt_refuses_cpu_model(const PodDefinition *pod, const AbilitySettings *settings,
                               char **ret_sentence);
const char *libvirt_bars_xml(const AbilitySettings *settings);
bool libvirt_refuses_xml(const PodDefinition *pod, const AbilitySettings *settings, char **ret_sentence);
