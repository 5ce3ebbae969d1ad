/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Templates: a machine whose agent waits for its first hello, as its memory and the rest of its state. A start by it is a copy that goes on
 * from there, instead of a boot.
 *
 *     runner (qemu-template.h) ──▶ podvisor-templates (template-keeper.h) ──▶ one process for each that is made (template-make.h)
 *
 * Theory of operation
 * -------------------
 * memory   the guest's whole memory: a memory file. A copy maps it privately, so that pages are shared until one writes to them.
 * state    all else of the machine, as QEMU's migration has it, without the memory (x-ignore-shared): some ten kilobytes.
 *
 * Invariants
 * - Both are sealed against every change before anybody but their maker has them. Who has them can read them, and no more.
 * - Nothing of a pod was in a template, ever: not its images, not its identity, not the token of its runner.
 * - A template serves exactly the machines of its key, which is a digest of all that the two must have in common. The key holds for
 *   one boot of the host, as templates do.
 * - Whatever is wrong with a template costs a pod the time of a boot, and nothing else.
 */
#include "backends/backend.h"
#include "schemas/template-protocol.h"

/* The shape of this machine on this host: 0 with *ret for schema_done(); -ENOTSUP with *ret_why, a clause: no template can be made of
 * it; or another negative errno with *ret_why. */
int template_shape(const BackendContext *context, Accelerator accelerator, TemplateShape *ret,
                   char **ret_why);
/* Sets shape->key by what its files are now; context: who may have been handed them, NULL: nobody. 0 or negative errno, with *ret_why, a
 * clause. */
int template_seal_key(TemplateShape *shape, const BackendContext *context, char **ret_why);
/* A machine of that shape, for the command line: 0 with *ret for schema_done(), or -ENOMEM. */
int template_definition(const TemplateShape *shape, RunDefinition *ret);

/* The two descriptors, empty; *ret_memory of the shape's size. 0 or negative errno. */
int template_files_new(const TemplateShape *shape, int *ret_memory, int *ret_state);
/* From now on nobody changes them: 0 or negative errno. */
int template_files_seal(int memory, int state);
/* Whether nobody can change them, and they are of that shape. */
bool template_files_good(const TemplateShape *shape, int memory, int state);
