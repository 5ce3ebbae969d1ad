/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libvirt says of this host, for `podvisor backends`: the daemon that `libvirt.uri = "auto"` means is connected to and asked, in
 * a worker's thread with one deadline for all of it. A user's own daemon is not started for this, though it would be for a pod.
 */
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "backends/accelerator.h"
#include "backends/libvirt/connection.h"
#include "backends/libvirt/domain-calls.h"
#include "backends/libvirt/libvirt-describe.h"
#include "base/strings.h"

/* libvirt tries out each QEMU that it has not seen before. */
#define DESCRIBE_TIMEOUT (12 * USEC_PER_SEC)

typedef struct Asked {
    unsigned long daemon, qemu;
} Asked;

/* Its results are read only when the job has come back. */
static Asked asked;

static int ask(Worker *w, virConnectPtr connection, Job *job)
{
    if (virConnectGetLibVersion(connection, &asked.daemon) < 0)
        return -EREMOTEIO;
    (void)virConnectGetVersion(connection, &asked.qemu);
    return domain_call_probe(w, connection, job);
}

static Note *note_await(Worker *w, usec_t deadline)
{
    Note *note;

    while (!(note = worker_take(w))) {
        struct pollfd p = { .fd = worker_bell(w), .events = POLLIN };
        usec_t left = usec_sub(deadline, now_usec(CLOCK_MONOTONIC));
        if (left == 0 || (poll(&p, 1, (int)(left / USEC_PER_MSEC) + 1) < 0 && errno != EINTR))
            return NULL;
    }
    return note;
}

static Job *job_new(const char *program)
{
    Job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    *job = (Job){ .run = ask, .emulator = strdup(program), .uid = UINT64_MAX };
    job->machine = strdup(enum_to_string(&libvirt_machine_table, LIBVIRT_MACHINE_Q35));
    return job->emulator && job->machine ? job : job_free(job);
}

/* The job with its answer, or NULL with the reason in *ret_error and *ret_why (malloc'ed, or NULL). */
static Job *converse(Worker *w, const char *program, int *ret_error, char **ret_why)
{
    usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), DESCRIBE_TIMEOUT);
    Job *answer = NULL;

    *ret_error = -ETIMEDOUT;
    for (Note *note; !answer && (note = note_await(w, deadline)); note_free(note)) {
        if (note->type == NOTE_OPENED) {
            Job *job = job_new(program);
            if (job)
                worker_submit(w, job);
        } else if (note->type == NOTE_ANSWER)
            answer = take_ptr(note->job);
        else if (note->type == NOTE_CLOSED) {
            *ret_error = note->error;
            *ret_why = take_ptr(note->text);
            note_free(note);
            break;
        }
    }
    return answer;
}

static char *version(unsigned long number)
{
    return strf("%lu.%lu.%lu", number / 1000000, number / 1000 % 1000, number % 1000);
}

static int describe_accelerators(BackendDescription *d, const KvmFacts *facts, bool offered)
{
    Accelerator accelerator;
    char *why = NULL;

    bool usable = offered && accelerator_choose(ACCELERATOR_KVM, facts, &accelerator, &why) >= 0;
    if (!offered)
        why = strdup("libvirt cannot run machines by KVM on this host");
    int r = backend_description_accelerator(d, "kvm", usable, why);
    return r < 0 ? r
                 : backend_description_accelerator(d, "tcg", true,
                                                   strdup("slow, and hardware does not isolate the pod"));
}

/* libvirt spoke: what it knows of itself, and of machines. */
static int describe_answer(const Job *job, BackendDescription *d, DaemonDescription *daemon)
{
    _cleanup_(freep) char *qemu = version(asked.qemu);

    daemon->reachable = true;
    daemon->version = asked.daemon > 0 ? version(asked.daemon) : NULL;
    if (asked.qemu > 0 && !(d->vmm = strf("QEMU %s", qemu)))
        return -ENOMEM;
    if (job->error < 0) {
        _cleanup_(freep) char *said = job->why ? str_escape(job->why, strlen(job->why)) : NULL;
        return backend_description_refuse(
            d, strf("libvirt does not say what it can do: %s", said ?: strerror(-job->error)));
    }
    /* libvirt opens /dev/kvm, not we. */
    KvmFacts facts = { .processor = processor_has_flag("vmx") || processor_has_flag("svm") };
    return describe_accelerators(d, &facts, job->kvm);
}

static int describe_silence(int error, const char *why, bool session, BackendDescription *d,
                            DaemonDescription *daemon)
{
    bool started = session && (error == -ENOENT || error == -ECONNREFUSED);

    daemon->note = started ? strdup("it does not run; libvirt starts it when a pod needs it")
                           : connection_words(error, why);
    if (!daemon->note)
        return -ENOMEM;
    KvmFacts facts = kvm_facts();
    return started ? describe_accelerators(d, &facts, true)
                   : backend_description_refuse(d, strdup(daemon->note));
}

int libvirt_describe(const char *program, BackendDescription *ret)
{
    bool session = geteuid() != 0;
    const char *uri = enum_to_string(&libvirt_uri_table, session ? LIBVIRT_URI_SESSION : LIBVIRT_URI_SYSTEM);
    DaemonDescription *daemon = field_append(schema_field(&backend_description_schema, "daemons"), ret);
    _cleanup_(freep) char *why = NULL;
    Worker *w = NULL;
    int error = 0;

    if (!daemon || str_replace(&daemon->uri, uri) < 0 || setenv("LIBVIRT_AUTOSTART", "0", true) < 0)
        return -ENOMEM;
    int r = worker_new(uri, &w);
    if (r < 0)
        return r;
    Job *answer = converse(w, program, &error, &why);
    r = answer ? describe_answer(answer, ret, daemon) : describe_silence(error, why, session, ret, daemon);
    job_free(answer);
    worker_leave(w);
    return r;
}
