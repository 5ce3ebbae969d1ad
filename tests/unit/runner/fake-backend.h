/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a backend without a VMM does alike in all tests of the runner; each completes fake_backend with what it wants to see. */
#include "backends/backend.h"

static Vm the_vm;
static const Backend fake_backend;

static int backend_check(const RunDefinition *definition, char **ret_message)
{
    return 0;
}

static int backend_new(const BackendContext *context, Vm **ret)
{
    the_vm = (Vm){ .backend = &fake_backend, .context = context };
    *ret = &the_vm;
    return 0;
}

static Vm *backend_free(Vm *vm)
{
    return NULL;
}

static int backend_inspect(Vm *vm, BackendFacts *ret)
{
    *ret = (BackendFacts){ .checkpoint = CHECKPOINT_ABSENT };
    return 0;
}

static int backend_nothing(Vm *vm)
{
    return 0;
}

static const CheckpointKind fake_kind = { .name = "fake", .version = 1, .schema = &backend_end_schema };
