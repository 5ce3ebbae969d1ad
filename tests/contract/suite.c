/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/contract/libvirt-host.h"
#include "tests/contract/suite.h"

enum {
    SHARED_MAX = 10, /* so many cells take one machine over from each other */
    JOBS_MAX = SUITE_ROWS_MAX * BACKEND_KIND_MAX,
    NULL_WORKERS = 2,
};

typedef struct Job {
    BackendKind backend;
    size_t rows[SHARED_MAX];
    size_t n_rows;
    unsigned order; /* those with the smallest are begun first */
} Job;

/* The jobs of some workers; the cursor is in shared memory. */
typedef struct Lane {
    Job jobs[JOBS_MAX];
    size_t n_jobs;
    unsigned *cursor;
} Lane;

static Cell *the_cell; /* of this process */

void suite_note(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(the_cell->note, sizeof the_cell->note, format, arguments);
    va_end(arguments);
}

static void *shared_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        abort();
    return p;
}

Suite *suite_new(void)
{
    Suite *s = shared_memory(sizeof *s);

    s->dir = test_dir_new();
    return s;
}

/* --- one cell --------------------------------------------------------------------------------------------------------- */

/* What the cells of one job have in common. A test that ended in the middle leaves its harness to the teardown. */
typedef struct Fixture {
    const char *program;
    BackendKind backend;
    const Obligation *obligation;
    Harness harness;
    bool begun; /* the harness is there */
    bool proved;
} Fixture;

static int setup(void **state)
{
    Fixture *f = *state;

    f->proved = false;
    if (!f->begun)
        harness_init(&f->harness, f->program, f->backend);
    f->begun = true;
    f->harness.shares = f->obligation->shares;
    return 0;
}

static void prove(void **state)
{
    Fixture *f = *state;

    f->obligation->prove(&f->harness);
    f->proved = true;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    if (f->proved && f->harness.ready)
        return 0;
    f->begun = false;
    harness_done(&f->harness);
    return 0;
}

static uint64_t now_msec(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* All that the cell says, and the programs that it launches without a log of their own. */
static void redirect(const Suite *s, BackendKind backend, size_t row)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s.%zu", enum_to_string(&backend_kind_table, (int)backend), row);
    int fd = file_open_at(s->dir.fd, name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        abort();
    (void)close(fd);
}

static void cell_prove(Suite *s, Fixture *f, size_t row)
{
    Cell *cell = &s->cells[row][f->backend];
    struct CMUnitTest test = {
        .name = obligations[row].name,
        .test_func = prove,
        .setup_func = setup,
        .teardown_func = teardown,
        .initial_state = f,
    };
    uint64_t begin = now_msec();

    f->obligation = &obligations[row];
    the_cell = cell;
    cell->state = CELL_BEGUN;
    redirect(s, f->backend, row);
    int failed = _cmocka_run_group_tests(obligations[row].name, &test, 1, NULL, NULL);
    (void)fflush(NULL);
    cell->msec = (unsigned)(now_msec() - begin);
    cell->state = failed ? CELL_FAILED : CELL_OK;
}

/* --- jobs ------------------------------------------------------------------------------------------------------------- */

static void progress(const Suite *s, const Job *job)
{
    for (size_t i = 0; i < job->n_rows; i++) {
        const Cell *cell = &s->cells[job->rows[i]][job->backend];
        printf("%s %s %s (%u.%01u s)%s%s\n", cell->state == CELL_OK ? "ok" : "FAIL",
               enum_to_string(&backend_kind_table, (int)job->backend), obligations[job->rows[i]].name,
               cell->msec / 1000, cell->msec % 1000 / 100, *cell->note ? ": " : "", cell->note);
    }
    (void)fflush(stdout);
}

/* In a child of the worker. */
static void job_prove(Suite *s, const Job *job)
{
    Fixture f = { .program = s->programs[job->backend], .backend = job->backend };

    for (size_t i = 0; i < job->n_rows; i++)
        if (s->cells[job->rows[i]][job->backend].state == CELL_WAITING)
            cell_prove(s, &f, job->rows[i]);
    if (f.begun)
        harness_done(&f.harness);
    (void)fflush(NULL);
}

/* The cell that a child died in has failed; true when others wait behind it. */
static bool job_died(Suite *s, const Job *job)
{
    bool more = false;

    for (size_t i = 0; i < job->n_rows; i++) {
        Cell *cell = &s->cells[job->rows[i]][job->backend];
        if (cell->state == CELL_BEGUN) {
            cell->state = CELL_FAILED;
            (void)snprintf(cell->note, sizeof cell->note, "its process died");
        }
        more = more || cell->state == CELL_WAITING;
    }
    return more;
}

static void job_fail(Suite *s, const Job *job, const char *why)
{
    for (size_t i = 0; i < job->n_rows; i++) {
        Cell *cell = &s->cells[job->rows[i]][job->backend];
        cell->state = CELL_FAILED;
        (void)snprintf(cell->note, sizeof cell->note, "%s", why);
    }
}

static void job_run(Suite *s, const Job *job)
{
    char why[SUITE_NOTE_MAX] = "";

    if (job->backend == BACKEND_LIBVIRT && libvirt_host_enter(why, sizeof why) < 0) {
        job_fail(s, job, why);
        progress(s, job);
        return;
    }
    do {
        pid_t worker = getpid();
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid < 0)
            abort();
        if (pid == 0) {
            if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != worker)
                _exit(99);
            job_prove(s, job);
            _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    } while (job_died(s, job));
    progress(s, job);
}

/* --- workers ---------------------------------------------------------------------------------------------------------- */

static int job_compare(const void *a, const void *b)
{
    unsigned x = ((const Job *)a)->order, y = ((const Job *)b)->order;

    return x < y ? -1 : x > y;
}

/* A job of its own, or a place among those that share. */
static void lane_add(Lane *lane, BackendKind backend, size_t row, Job **sharing)
{
    const Obligation *o = &obligations[row];
    Job *job = o->shares ? *sharing : NULL;

    if (!job || job->n_rows == SHARED_MAX) {
        job = &lane->jobs[lane->n_jobs++];
        /* The long ones first, then those of the slower machines. */
        job->order = (o->long_one ? 0
                      : o->shares ? 1
                                  : 2) *
                         1000 +
                     (backend != BACKEND_LIBVIRT) * 500 + (unsigned)row;
        job->backend = backend;
    }
    if (o->shares)
        *sharing = job;
    job->rows[job->n_rows++] = row;
}

static void lane_fill(Lane *lane, const Suite *s, BackendKind backend)
{
    Job *sharing = NULL;

    for (size_t row = 0; row < n_obligations; row++)
        if (s->cells[row][backend].state == CELL_WAITING)
            lane_add(lane, backend, row, &sharing);
}

static void lane_close(Lane *lane)
{
    qsort(lane->jobs, lane->n_jobs, sizeof *lane->jobs, job_compare);
    lane->cursor = shared_memory(sizeof *lane->cursor);
}

static void worker_run(Suite *s, Lane *lane)
{
    for (;;) {
        unsigned i = __atomic_fetch_add(lane->cursor, 1, __ATOMIC_RELAXED);
        if (i >= lane->n_jobs)
            break;
        job_run(s, &lane->jobs[i]);
    }
    libvirt_host_leave();
}

static void lane_work(Suite *s, Lane *lane, unsigned n_workers)
{
    pid_t parent = getpid();

    (void)fflush(NULL);
    for (unsigned i = 0; i < MIN(n_workers, (unsigned)lane->n_jobs); i++) {
        pid_t pid = fork();
        if (pid < 0)
            abort();
        if (pid == 0) {
            if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(99);
            worker_run(s, lane);
            (void)fflush(NULL);
            _exit(0);
        }
    }
}

void suite_run(Suite *s, unsigned n_workers)
{
    static Lane nulls, guests;

    lane_fill(&nulls, s, BACKEND_NULL);
    lane_fill(&guests, s, BACKEND_LIBVIRT);
    lane_fill(&guests, s, BACKEND_QEMU);
    lane_close(&nulls);
    lane_close(&guests);
    lane_work(s, &guests, n_workers);
    lane_work(s, &nulls, NULL_WORKERS);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

unsigned suite_failures(const Suite *s)
{
    unsigned n = 0;

    for (size_t row = 0; row < n_obligations; row++)
        for (int backend = 0; backend < BACKEND_KIND_MAX; backend++) {
            CellState state = s->cells[row][backend].state;
            n += state != CELL_EXEMPT && state != CELL_OK;
        }
    return n;
}
