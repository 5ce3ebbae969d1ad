/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/task.h"

DEFINE_ENUM_TABLE(
    task, "task", TASK_MAX, [TASK_PROGRAM] = { "program", "run a program" },
    [TASK_COPY_IN] = { "copy-in", "unpack an archive in a container" },
    [TASK_COPY_OUT] = { "copy-out", "pack a file or directory of a container" },
    [TASK_PROCESSES] = { "processes", "list the processes of a container" },
    [TASK_STATISTICS] = { "statistics", "say what containers and machine have used" },
    [TASK_PING] = { "ping", "answer" }, [TASK_ATTACH] = { "attach", "attach to the program of a container" });

bool task_is_of_container(Task task)
{
    return task != TASK_STATISTICS && task != TASK_PING;
}

bool task_is_question(Task task)
{
    return task == TASK_PROCESSES || task == TASK_STATISTICS || task == TASK_PING;
}
