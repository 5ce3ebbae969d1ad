/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/start-times.h"
#include "schemas/pod-definition.h"

DEFINE_ENUM_TABLE(start_part, "part of a start",
                  START_PART_MAX, [START_PART_PODVISORD] = { "podvisord", "podvisord decides and prepares" },
                  [START_PART_RUNNER] = { "runner", "the runner comes up and makes the machine's process" },
                  [START_PART_MACHINE] = { "vmm+kernel", "QEMU and the guest's kernel" },
                  [START_PART_AGENT] = { "agent", "the agent in the guest, and the runner's talk with it" },
                  [START_PART_CONTAINERS] = { "containers", "containers, until they do what they should" });

#define ROW_OF_MARK(name, word_, part_, guest_, after_, doc_)                                                \
    [START_##name] = {                                                                                       \
        .word = #word_, .part = START_PART_##part_, .guest = (guest_), .after = (after_), .doc = (doc_)      \
    },
const StartMarkRow start_mark_rows[START_MARK_MAX] = { START_MARKS(ROW_OF_MARK) };

#define ROW_OF_STEP(name, word_, guest_, doc_)                                                               \
    [START_STEP_##name] = { .word = #word_, .guest = (guest_), .doc = (doc_) },
const StartStepRow start_step_rows[START_STEP_MAX] = { START_STEPS(ROW_OF_STEP) };

#define FIELD_AT(S, member, word_, doc_)                                                                     \
    { .name = #word_,                                                                                        \
      .type = FIELD_DURATION,                                                                                \
      .offset = FIELD_TYPED_OFFSET(S, member, usec_t),                                                       \
      .doc = (doc_) },
#define FIELD_OF_MARK(name, word, part, guest, after, doc) FIELD_AT(StartTimes, at[START_##name], word, doc)
#define FIELD_OF_STEP(name, word, guest, doc) FIELD_AT(StartContainer, at[START_STEP_##name], word, doc)

static const Field container_fields[] = { { F_STRING(StartContainer, name), .flags = FIELD_KEY,
                                            .doc = "The container." },
                                          START_STEPS(FIELD_OF_STEP) };
DEFINE_SCHEMA(start_container_schema, StartContainer, "container's start",
              "The times of a container's start.", container_fields);

static const Field fields[] = {
    START_MARKS(FIELD_OF_MARK){ F_SIGNED(StartTimes, guest_zero),
                                .doc = "What the host's clock showed when the guest's began." },
    { F_DURATION(StartTimes, guest_doubt),
      .doc = "By how much that may be wrong; 0 when it is not known at all." },
    { F_DURATION(StartTimes, guest_tick), .doc = "What the guest's clock goes forward by at once." },
    { F_LIST(StartTimes, containers, start_container_schema), .max = CONTAINERS_MAX,
      .doc = "The times of each container." },
};
DEFINE_SCHEMA(start_times_schema, StartTimes, "start", "The times of a pod's start.", fields);

void start_mark(StartTimes *t, StartMark mark)
{
    t->at[mark] = now_usec(CLOCK_MONOTONIC);
}

void start_mark_once(StartTimes *t, StartMark mark)
{
    if (t->at[mark] == 0)
        start_mark(t, mark);
}

bool start_times_empty(const StartTimes *t)
{
    for (size_t i = 0; i < ELEMENTSOF(t->at); i++)
        if (t->at[i] > 0)
            return false;
    return true;
}

void start_mark_end(StartTimes *t)
{
    if (!start_times_empty(t) && t->at[START_READY] == 0)
        start_mark_once(t, START_ENDED);
}
