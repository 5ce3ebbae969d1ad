/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/libvirt/libvirt.h"
#include "runner/runner-main.h"

int main(int argc, char **argv)
{
    return runner_main(&libvirt_backend, argc, argv);
}
