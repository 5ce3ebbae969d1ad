/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/qemu/qemu.h"
#include "runner/runner-main.h"

int main(int argc, char **argv)
{
    return runner_main(&qemu_backend, argc, argv);
}
