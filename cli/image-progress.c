/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/image-progress.h"
#include "cli/text.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

void image_progress_begin(ImageProgress *p, const char *name)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    const struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    struct sigaction before;

    *p = (ImageProgress){ .name = name, .terminal = isatty(STDERR_FILENO) };
    /* What is ignored stays so: nohup(1). */
    TABLE_FOREACH (number, signals)
        if (sigaction(*number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(*number, &action, NULL);
}

void image_progress_end(const ImageProgress *p)
{
    if (p->terminal)
        fprintf(stderr, "\r\033[K");
}

int image_progress_phase(void *userdata, ImportPhase phase, uint64_t done, uint64_t total)
{
    const ImageProgress *p = userdata;

    if (p->terminal && total > 0)
        fprintf(stderr, "\r\033[K%s: %s, %u%%", p->name, enum_to_string(&import_phase_table, (int)phase),
                (unsigned)(MIN(done, total) * 100 / total));
    else if (p->terminal)
        fprintf(stderr, "\r\033[K%s: %s", p->name, enum_to_string(&import_phase_table, (int)phase));
    return interrupted ? -ECANCELED : 0;
}

int image_progress_fetching(void *userdata, const PullState *state)
{
    const ImageProgress *p = userdata;
    _cleanup_(freep) char *there = text_memory(MIN(state->there, state->size)),
                          *size = text_memory(state->size);

    if (p->terminal && state->size > 0)
        fprintf(stderr, "\r\033[K%s: fetching, %zu of %zu layers, %s of %s", p->name, state->layers_there,
                state->layers, there ?: "?", size ?: "?");
    else if (p->terminal)
        fprintf(stderr, "\r\033[K%s: asking the registry", p->name);
    return interrupted ? -ECANCELED : 0;
}
