/* SPDX-License-Identifier: Apache-2.0 */
#include <libvirt/virterror.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "backends/libvirt/worker.h"
#include "base/strings.h"

enum {
    KEEPALIVE_INTERVAL = 5, /* seconds */
    KEEPALIVE_COUNT = 3,
    NOTES_MAX = 1000, /* a daemon that says more than the loop takes loses the rest */
    WATCHES_MAX = 8,
};

struct Worker {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned references; /* the loop, the thread, and libvirt for each function that it may call */
    bool leave;
    Job *jobs;
    Note *notes;
    size_t n_notes;
    int bell;
    char *uri;
    /* Of the thread alone: */
    int watches[WATCHES_MAX];
    size_t n_watches;
};

static atomic_uint count;

unsigned worker_count(void)
{
    return atomic_load(&count);
}

Job *job_free(Job *job)
{
    if (!job)
        return NULL;
    free(job->name);
    free(job->vm_dir);
    free(job->security_model);
    free(job->emulator);
    free(job->machine);
    free(job->xml);
    free(job->why);
    free(job);
    return NULL;
}

Note *note_free(Note *note)
{
    if (!note)
        return NULL;
    free(note->text);
    job_free(note->job);
    free(note);
    return NULL;
}

/* --- what both sides share ------------------------------------------------------------------------------------------- */

static Worker *worker_ref(Worker *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    w->references++;
    (void)pthread_mutex_unlock(&w->mutex);
    return w;
}

static void worker_destroy(Worker *w)
{
    while (w->jobs) {
        Job *job = w->jobs;
        w->jobs = job->next;
        job_free(job);
    }
    while (w->notes) {
        Note *note = w->notes;
        w->notes = note->next;
        note_free(note);
    }
    safe_close(w->bell);
    (void)pthread_mutex_destroy(&w->mutex);
    (void)pthread_cond_destroy(&w->cond);
    free(w->uri);
    free(w);
}

static void worker_unref(void *userdata)
{
    Worker *w = userdata;

    (void)pthread_mutex_lock(&w->mutex);
    bool last = --w->references == 0;
    (void)pthread_mutex_unlock(&w->mutex);
    if (last)
        worker_destroy(w);
}

/* note is a template, whose pointers are taken over. */
static void post(Worker *w, Note note)
{
    Note *fresh = malloc(sizeof *fresh), **last;
    uint64_t one = 1;

    (void)pthread_mutex_lock(&w->mutex);
    bool wanted = fresh && !w->leave && (w->n_notes < NOTES_MAX || note.type <= NOTE_ANSWER);
    if (wanted) {
        *fresh = note;
        for (last = &w->notes; *last;)
            last = &(*last)->next;
        *last = fresh;
        w->n_notes++;
    }
    (void)pthread_mutex_unlock(&w->mutex);
    if (wanted) {
        (void)!write(w->bell, &one, sizeof one);
        return;
    }
    free(fresh);
    free(note.text);
    job_free(note.job);
}

/* --- the loop's side -------------------------------------------------------------------------------------------------- */

int worker_bell(const Worker *w)
{
    return w->bell;
}

void worker_submit(Worker *w, Job *job)
{
    Job **last;

    (void)pthread_mutex_lock(&w->mutex);
    for (last = &w->jobs; *last;)
        last = &(*last)->next;
    *last = job;
    (void)pthread_cond_signal(&w->cond);
    (void)pthread_mutex_unlock(&w->mutex);
}

Note *worker_take(Worker *w)
{
    uint64_t rings;

    (void)pthread_mutex_lock(&w->mutex);
    Note *note = w->notes;
    if (note) {
        w->notes = note->next;
        w->n_notes--;
        note->next = NULL;
    } else
        (void)!read(w->bell, &rings, sizeof rings);
    (void)pthread_mutex_unlock(&w->mutex);
    return note;
}

Worker *worker_leave(Worker *w)
{
    if (!w)
        return NULL;
    (void)pthread_mutex_lock(&w->mutex);
    w->leave = true;
    (void)pthread_cond_signal(&w->cond);
    (void)pthread_mutex_unlock(&w->mutex);
    worker_unref(w);
    return NULL;
}

/* --- what libvirt tells, in any thread -------------------------------------------------------------------------------- */

static const char *const close_words[] = {
    [VIR_CONNECT_CLOSE_REASON_ERROR] = "the connection broke",
    [VIR_CONNECT_CLOSE_REASON_EOF] = "libvirt has closed the connection",
    [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirt does not answer",
    [VIR_CONNECT_CLOSE_REASON_CLIENT] = "the connection was closed",
};

static void on_close(virConnectPtr connection, int reason, void *userdata)
{
    bool known = reason >= 0 && (size_t)reason < ELEMENTSOF(close_words);

    post(userdata, (Note){ .type = NOTE_CLOSED,
                           .error = -ECONNRESET,
                           .text = strdup(known ? close_words[reason] : close_words[0]) });
}

static int on_life(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *userdata)
{
    post(userdata, (Note){ .type = NOTE_LIFE, .event = event, .detail = detail });
    return 0;
}

static void on_reboot(virConnectPtr connection, virDomainPtr domain, void *userdata)
{
    post(userdata, (Note){ .type = NOTE_REBOOT });
}

static void on_watchdog(virConnectPtr connection, virDomainPtr domain, int action, void *userdata)
{
    post(userdata, (Note){ .type = NOTE_TROUBLE, .text = strdup("the guest's watchdog has fired") });
}

static void on_io_error(virConnectPtr connection, virDomainPtr domain, const char *path, const char *alias,
                        int action, const char *reason, void *userdata)
{
    char *text = strf("an error while reading or writing %s%s%s", str_empty(path) ? alias : path,
                      str_empty(reason) ? "" : ": ", reason ?: "");

    post(userdata, (Note){ .type = NOTE_TROUBLE, .text = text });
}

static void on_control_error(virConnectPtr connection, virDomainPtr domain, void *userdata)
{
    post(userdata, (Note){ .type = NOTE_TROUBLE, .text = strdup("libvirt has lost its way to QEMU") });
}

static const struct {
    int event;
    virConnectDomainEventGenericCallback func;
} watches[] = {
    { VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_life) },
    { VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot) },
    { VIR_DOMAIN_EVENT_ID_WATCHDOG, VIR_DOMAIN_EVENT_CALLBACK(on_watchdog) },
    { VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, VIR_DOMAIN_EVENT_CALLBACK(on_io_error) },
    { VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, VIR_DOMAIN_EVENT_CALLBACK(on_control_error) },
};
_Static_assert(ELEMENTSOF(watches) <= WATCHES_MAX, "there is room for all");

void worker_watch(Worker *w, virConnectPtr connection, virDomainPtr domain)
{
    if (w->n_watches > 0)
        return;
    TABLE_FOREACH (row, watches) {
        int id = virConnectDomainEventRegisterAny(connection, domain, row->event, row->func, worker_ref(w),
                                                  worker_unref);
        if (id >= 0)
            w->watches[w->n_watches++] = id;
        else
            worker_unref(w);
    }
}

/* --- the thread ------------------------------------------------------------------------------------------------------- */

static void quiet(void *userdata, virErrorPtr error) {}

/* libvirt's last words in this thread. */
static char *last_words(void)
{
    const virError *error = virGetLastError();

    return error && error->message ? strdup(error->message) : NULL;
}

static const struct {
    int code;
    int error;
} code_rows[] = {
    { VIR_ERR_AUTH_FAILED, -EACCES },         { VIR_ERR_AUTH_CANCELLED, -EACCES },
    { VIR_ERR_AUTH_UNAVAILABLE, -EACCES },    { VIR_ERR_ACCESS_DENIED, -EACCES },
    { VIR_ERR_NO_DOMAIN, -ENOENT },           { VIR_ERR_NO_MEMORY, -ENOMEM },
    { VIR_ERR_OPERATION_TIMEOUT, -EBUSY },    { VIR_ERR_NO_CONNECT, -ENODEV },
    { VIR_ERR_CONFIG_UNSUPPORTED, -ENOTSUP },
};

static int last_error(void)
{
    const virError *error = virGetLastError();

    if (error && error->code == VIR_ERR_SYSTEM_ERROR && error->int1 > 0)
        return -error->int1;
    TABLE_FOREACH (row, code_rows)
        if (error && error->code == row->code)
            return row->error;
    return -EREMOTEIO;
}

static virConnectPtr connection_open(Worker *w)
{
    virConnectPtr connection = virConnectOpen(w->uri);

    if (!connection) {
        post(w, (Note){ .type = NOTE_CLOSED, .error = last_error(), .text = last_words() });
        return NULL;
    }
    /* A connection of the process's own has neither. */
    (void)virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT);
    /* Without a reference of its own: a driver that has no daemon says yes and forgets it. The thread has one, and takes the function
     * back, which waits until it does not run, before it lets go. */
    (void)virConnectRegisterCloseCallback(connection, on_close, w, NULL);
    post(w, (Note){ .type = NOTE_OPENED });
    return connection;
}

static void connection_close(Worker *w, virConnectPtr connection)
{
    while (w->n_watches > 0)
        (void)virConnectDomainEventDeregisterAny(connection, w->watches[--w->n_watches]);
    (void)virConnectUnregisterCloseCallback(connection, on_close);
    (void)virConnectClose(connection);
}

/* Waits; NULL: it is over. */
static Job *job_take(Worker *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    while (!w->leave && !w->jobs)
        (void)pthread_cond_wait(&w->cond, &w->mutex);
    Job *job = w->leave ? NULL : w->jobs;
    if (job)
        w->jobs = job->next;
    (void)pthread_mutex_unlock(&w->mutex);
    return job;
}

static void job_run(Worker *w, virConnectPtr connection, Job *job)
{
    job->next = NULL;
    virResetLastError();
    job->error = job->run(w, connection, job);
    if (job->error == -EREMOTEIO && virGetLastError())
        job->error = last_error();
    if (job->error < 0 && !job->why)
        job->why = last_words();
    post(w, (Note){ .type = NOTE_ANSWER, .job = job });
}

static void *thread_main(void *userdata)
{
    Worker *w = userdata;

    virConnectPtr connection = connection_open(w);
    for (Job *job; connection && (job = job_take(w));)
        job_run(w, connection, job);
    if (connection)
        connection_close(w, connection);
    worker_unref(w);
    atomic_fetch_sub(&count, 1);
    return NULL;
}

/* Signals are the loop's. */
static int thread_start(Worker *w)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    atomic_fetch_add(&count, 1);
    int r = pthread_create(&thread, &attributes, thread_main, worker_ref(w));
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (r == 0)
        return 0;
    atomic_fetch_sub(&count, 1);
    worker_unref(w);
    return -r;
}

int worker_new(const char *uri, Worker **ret)
{
    if (virInitialize() < 0)
        return -EIO;
    virSetErrorFunc(NULL, quiet);
    Worker *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    (void)pthread_mutex_init(&w->mutex, NULL);
    (void)pthread_cond_init(&w->cond, NULL);
    w->references = 1;
    w->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->uri = strdup(uri);
    int r = w->bell < 0 ? -errno : w->uri ? thread_start(w) : -ENOMEM;
    if (r < 0) {
        worker_unref(w);
        return r;
    }
    *ret = w;
    return 0;
}
