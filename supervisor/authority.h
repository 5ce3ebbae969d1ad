/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who may do what on the message bus: one question for each call, answered later.
 *
 * Theory of operation
 * -------------------
 * The bus is asked for the caller's user first. Root, and podvisord's own user, may do everything; for all others polkit
 * decides on the action org.podvisor.EFFECT, and is told the pod (detail "pod"), so that a rule can be about one pod. Without
 * polkit, nobody else may do anything. Each question has a deadline, a longer one where a human is asked for a password.
 * A caller that leaves is not answered, and polkit is told to ask no further.
 *
 * Callers are hostile: questions are bounded by caller, by user, in number and by what their messages hold.
 */
#include "base/enum-table.h"
#include "supervisor/system-bus.h"

/* What a call does. The names are the last part of polkit's actions (packaging/polkit). */
typedef enum Effect {
    EFFECT_READ,
    EFFECT_MANAGE,
    EFFECT_EXEC,
    EFFECT_MAX,
} Effect;
extern const EnumTable effect_table;

typedef enum AuthorityVerdict {
    AUTHORITY_ALLOWED,
    AUTHORITY_DENIED,
    AUTHORITY_CHALLENGE, /* if a human may be asked */
    AUTHORITY_ABSENT,    /* polkit does not answer */
    AUTHORITY_TIMEOUT,
    AUTHORITY_BUSY, /* too many questions at once */
    AUTHORITY_VERDICT_MAX,
} AuthorityVerdict;

/* m is the call that the question was about. */
typedef void (*AuthorityFunc)(void *userdata, sd_bus_message *m, AuthorityVerdict verdict);

typedef struct Authority Authority;

/* func is called once for each question, except for callers that have left and for a bus that is lost. */
int authority_new(Authority **ret, SystemBus *bus, AuthorityFunc func, void *userdata);
/* Forgets all questions. */
Authority *authority_free(Authority *a);
DEFINE_CLEANUP(Authority *, authority_free)

/*
 * May the sender of m do this? pod: whose, or NULL; weight: about how many bytes m holds. May answer at once. 0, or negative
 * errno: then there is no answer to come.
 */
int authority_ask(Authority *a, sd_bus_message *m, Effect effect, const char *pod, size_t weight);
/* Forgets all questions: the bus is lost. */
void authority_forget(Authority *a);
