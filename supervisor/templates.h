/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whether a pod's machine is to start from a template, and that somebody has those (backends/qemu/template.h): a unit,
 * podvisor-templates.socket, where pods have units; else a process of its own, which is started when a pod wants one and there is none.
 */
#include "supervisor/pod.h"

/* Says it in the frozen definition: 0 or -ENOMEM. What goes wrong besides costs the pod the time of a boot. */
int templates_describe(const Pod *pod, RunDefinition *d);
/* At the start of podvisord, when it is known whether pods have units: says what cannot be had of podvisord.conf, and why. */
void templates_check(const Supervisor *s);
