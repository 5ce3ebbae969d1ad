/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Secrets and config files: what the runner has sent, kept in memory and nowhere else, and what each container sees of it.
 *
 *     RUN/files/                           tmpfs, noexec
 *     RUN/files/store/KIND.NAME            as it came, whole
 *     RUN/files/containers/CONTAINER/N     what its mount N asks for: the same with that mount's mode and owner
 *
 * A container sees its directory, which it cannot write, at FILES_DIRECTORY, and at the path of each mount a link into it. So a new
 * content takes the place of the old one by rename(2), at once and as a whole, while the container runs: a file that was mounted itself
 * would stay the old one.
 */
#include "guest/agent/failure.h"
#include "guest/agent/platform.h"
#include "schemas/agent.h"

#define FILES_DIRECTORY "/dev/podvisor"

/* What is being received. A zeroed one has begun nothing. */
typedef struct FileIntake {
    bool begun;
    PodFileKind kind;
    char *name;
    uint64_t size;
} FileIntake;

/* 1: a file is whole, and in the store; 0: more of it is to come; or negative errno with f, and what came of it is dropped. */
int files_take(const Platform *p, FileIntake *in, const AgentFile *piece, Failure *f);
void files_intake_done(FileIntake *in);
/* Brings the container's files up to date; those that are right are left alone. -ENOENT in f: one has never come. */
int files_give(const Platform *p, const ContainerDefinition *d, Failure *f);
/* In a container's new mount namespace, with root as its "/" and a /dev of its own: the directory, and the links. */
int files_mount(const Platform *p, const ContainerDefinition *d, int root, Failure *f);
