/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The times of a pod's start: when each step of it was done, from the change of its file to the pod being ready.
 *
 * Theory of operation
 * -------------------
 * Whoever does a step marks it: one look at a clock, one number in a small array, nothing else. The marks go where what they are about
 * goes anyway, so that a start costs no message and no file more than it would without them:
 *
 *     podvisord --frozen definition--> runner --report, checkpoint--> podvisord --property, when asked--> podvisor analyze
 *                                        ^
 *     agent ----------report-------------+
 *
 * Times are microseconds of CLOCK_MONOTONIC, 0 where nobody knows: the host's, but for the rows that say `guest`, which have the
 * guest's. A guest's clock begins at about 0 with its kernel. The runner asks for it when it asks for the time (runner/guest-clock.h), and
 * keeps of the answers before the containers begin the one with the shortest round trip: host = guest + guest_zero, give or take
 * guest_doubt, at that moment. A guest that has nothing better than the ticks of a timer loses some on a busy host, so that its times
 * are the less worth the farther they are from it. Nothing else relates the two, so a guest that lies about its clock gets wrong times
 * in its own start, and no more: whoever reads them takes what cannot be for unknown (cli/start-analysis.h).
 *
 * START_MARKS is the one list of them: X(NAME, word, part, guest, after, doc), each after all that it waits for. `after` are the marks
 * of which the last one is where the time of this one began; what one that is not known waited for stands in its place. `word` is also
 * its name in msgpack, JSON and D-Bus.
 */
#include "schemas/schema.h"

/* Whose time it is; the parts of the sum that `podvisor analyze` shows. */
typedef enum StartPart {
    START_PART_PODVISORD,
    START_PART_RUNNER,
    START_PART_MACHINE,
    START_PART_AGENT,
    START_PART_CONTAINERS,
    START_PART_MAX,
} StartPart;
extern const EnumTable start_part_table;

#define START_AFTER(name) (UINT64_C(1) << START_##name)

/* clang-format off */
#define START_MARKS(X)                                                                                                                 \
    X(SEEN, seen, PODVISORD, false, 0, "The change of its file was heard of.")                                                         \
    X(READ, read, PODVISORD, false, START_AFTER(SEEN), "The file had come to rest, and was read, checked and taken over.")             \
    X(ASKED, asked, PODVISORD, false, 0, "An operator asked for it.")                                                                  \
    X(DECIDED, decided, PODVISORD, false, START_AFTER(READ) | START_AFTER(ASKED),                                                      \
      "Nothing that it waits for was missing: pods that come before it, the end of the machine before.")                               \
    X(TURN, turn, PODVISORD, false, START_AFTER(DECIDED), "It had its turn among the pods that start at the same time.")               \
    X(FROZEN, frozen, PODVISORD, false, START_AFTER(TURN),                                                                             \
      "Images, volumes and files were found or made, and the definition was about to be frozen.")                                      \
    X(RUNNER, runner, RUNNER, false, START_AFTER(FROZEN), "The runner's process was there.")                                           \
    X(BEGUN, begun, RUNNER, false, START_AFTER(RUNNER), "The runner had found nothing of an earlier machine, and began.")              \
    X(CHOSEN, chosen, RUNNER, false, START_AFTER(BEGUN), "It was known whether there is a template, so that nothing need boot.")       \
    X(NETWORK, network, RUNNER, false, START_AFTER(CHOSEN), "The pod's network was there.")                                            \
    X(SPAWNED, spawned, RUNNER, false, START_AFTER(NETWORK), "The machine's process was let go, a spare taken, or libvirt asked for it.") \
    X(GREETED, greeted, MACHINE, false, START_AFTER(SPAWNED), "QEMU was loaded, had made the machine, and answered.")                  \
    X(RESTORED, restored, MACHINE, false, START_AFTER(GREETED), "A copy had loaded the state of its template.")                        \
    X(PLUGGED, plugged, MACHINE, false, START_AFTER(RESTORED), "A spare of a template had the pod's disks, and was the pod's.")         \
    X(PROVED, proved, MACHINE, false, START_AFTER(RESTORED) | START_AFTER(PLUGGED), "The machine ran, and had proved whose it is.")    \
    X(KERNEL, kernel, MACHINE, true, START_AFTER(SPAWNED), "The clock of the guest's kernel began.")                                   \
    X(INIT, init, MACHINE, true, START_AFTER(KERNEL), "The guest's kernel was up, and began the agent.")                               \
    X(MODULES, modules, AGENT, true, START_AFTER(INIT), "The agent had loaded the kernel's modules.")                                  \
    X(PORT, port, AGENT, true, START_AFTER(MODULES), "The agent had set the guest up, and the port to the host was open.")             \
    X(WELCOME, welcome, AGENT, false, START_AFTER(PROVED) | START_AFTER(PORT), "The runner had the agent's first word.")               \
    X(CONFIGURE, configure, AGENT, false, START_AFTER(WELCOME), "The guest's clock was asked for, and the agent had all files.")       \
    X(TOLD, told, AGENT, true, START_AFTER(CONFIGURE), "The agent had been told what to run.")                                         \
    X(SETUP, setup, AGENT, true, START_AFTER(TOLD), "Randomness, host name, network and volumes of the pod were there.")               \
    X(CONFIGURED, configured, AGENT, false, START_AFTER(SETUP), "The runner knew that the containers begin.")                          \
    X(READY, ready, CONTAINERS, false, 0, "The runner knew that every container does what it should.")                                 \
    X(ENDED, ended, CONTAINERS, false, 0, "The machine ended before the pod was ready.")

/* Of each container, in the order of its life. The guest's clock, but for the runner's own. */
#define START_STEPS(X)                                                                                                                 \
    X(CALLED, called, true, "No container that comes before it was left.")                                                             \
    X(CREATED, created, true, "Its image and its volumes were mounted.")                                                               \
    X(STARTED, started, true, "Its program ran.")                                                                                      \
    X(DONE, done, true, "It was ready for the first time; of init: had ended well.")                                                   \
    X(OUTPUT, output, false, "The runner had the first line that it wrote.")
/* clang-format on */

#define START_MARK_ENUM(name, word, part, guest, after, doc) START_##name,
#define START_STEP_ENUM(name, word, guest, doc) START_STEP_##name,
typedef enum StartMark { START_MARKS(START_MARK_ENUM) START_MARK_MAX } StartMark;
typedef enum StartStep { START_STEPS(START_STEP_ENUM) START_STEP_MAX } StartStep;

typedef struct StartMarkRow {
    const char *word;
    StartPart part;
    bool guest;
    uint64_t after; /* START_AFTER() of those that it waits for */
    const char *doc;
} StartMarkRow;
extern const StartMarkRow start_mark_rows[START_MARK_MAX];

typedef struct StartStepRow {
    const char *word;
    bool guest;
    const char *doc;
} StartStepRow;
extern const StartStepRow start_step_rows[START_STEP_MAX];

typedef struct StartContainer {
    char *name;
    usec_t at[START_STEP_MAX];
} StartContainer;
extern const Schema start_container_schema;

typedef struct StartTimes {
    usec_t at[START_MARK_MAX];
    int64_t guest_zero; /* what the host's clock showed when the guest's began */
    usec_t guest_doubt; /* by how much that may be wrong; 0: it is not known at all */
    usec_t guest_tick;  /* what the guest's clock goes forward by at once */
    StartContainer *containers;
    size_t n_containers;
} StartTimes;
extern const Schema start_times_schema;

/* Now; a step that is done again counts by its last time. */
void start_mark(StartTimes *t, StartMark mark);
/* The first time counts. */
void start_mark_once(StartTimes *t, StartMark mark);
/* The machine is gone, or will not come: an end of the start, if the pod has not been ready before. */
void start_mark_end(StartTimes *t);
/* Nothing is known of it. */
bool start_times_empty(const StartTimes *t);
