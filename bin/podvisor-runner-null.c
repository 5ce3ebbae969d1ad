/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/null/null-machine.h"
#include "backends/null/null.h"
#include "runner/runner-main.h"

int main(int argc, char **argv)
{
    if (null_machine_wanted(argc, argv))
        return null_machine_main(argc, argv);
    return runner_main(&null_backend, argc, argv);
}
