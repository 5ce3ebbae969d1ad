/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/queue.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strings.h"
#include "images/image-reference.h"
#include "supervisor/image-pull.h"
#include "supervisor/supervisor.h"

/* After the first failure, doubled with each further one. */
#define RETRY_FIRST (15 * USEC_PER_SEC)
enum { RETRY_DOUBLINGS_MAX = 7 }; /* half an hour */

/* What comes after the fetching has no deadline but progress; this is for a puller that was lost. */
#define IMPORT_GRACE (30 * USEC_PER_MINUTE)

typedef struct Pull {
    char *reference;
    char id[PULL_ID_SIZE];
    bool under_way;
    usec_t deadline; /* while it is under way */
    usec_t settled;  /* when the last one ended; 0: none has */
    char *why;       /* of a failure; NULL: it went well */
    unsigned failures;
    usec_t due; /* of the next try after a failure */
    TAILQ_ENTRY(Pull) entry;
} Pull;

struct ImagePulls {
    Supervisor *supervisor;
    PullLauncher *launcher;
    int dir;
    sd_event_source *timer; /* the earliest deadline or next try */
    TAILQ_HEAD(, Pull) pulls;
};

static usec_t now(void)
{
    return now_usec(CLOCK_BOOTTIME);
}

static void pull_free(ImagePulls *p, Pull *pull)
{
    TAILQ_REMOVE(&p->pulls, pull, entry);
    free(pull->reference);
    free(pull->why);
    free(pull);
}

static Pull *pull_find(ImagePulls *p, const char *id)
{
    Pull *pull;

    TAILQ_FOREACH(pull, &p->pulls, entry)
    if (streq(pull->id, id))
        return pull;
    return NULL;
}

static Pull *pull_new(ImagePulls *p, const char *reference, const char *id)
{
    Pull *pull = calloc(1, sizeof *pull);

    if (!pull || !(pull->reference = strdup(reference))) {
        free(pull);
        return NULL;
    }
    memcpy(pull->id, id, sizeof pull->id);
    TAILQ_INSERT_TAIL(&p->pulls, pull, entry);
    return pull;
}

static void set_timer(ImagePulls *p)
{
    usec_t next = USEC_INFINITY;
    Pull *pull;

    TAILQ_FOREACH(pull, &p->pulls, entry)
    next = MIN(next, pull->under_way ? pull->deadline : pull->why ? pull->due : USEC_INFINITY);
    (void)sd_event_source_set_time(p->timer, next);
    (void)sd_event_source_set_enabled(p->timer, next == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* why NULL: it went well. */
static void settle(ImagePulls *p, Pull *pull, const char *why)
{
    pull->under_way = false;
    pull->settled = now();
    (void)pull_request_remove(p->dir, pull->id);
    (void)str_replace(&pull->why, why);
    if (why) {
        pull->due = usec_add(now(), RETRY_FIRST << MIN(pull->failures, (unsigned)RETRY_DOUBLINGS_MAX));
        pull->failures++;
        log_warning("%s", why);
    } else {
        pull->failures = 0;
        log_info("The image \"%s\" is as its registry has it", pull->reference);
    }
    set_timer(p);
}

static void on_ended(void *userdata, const char *id, const char *why)
{
    ImagePulls *p = userdata;
    Pull *pull = pull_find(p, id);
    _cleanup_(freep) char *told = NULL;

    if (!pull || !pull->under_way)
        return;
    int r = pull_request_look(p->dir, id, &told);
    _cleanup_(freep) char *left = r != 0 && !told ? strf("\"%s\" was not pulled: %s", pull->reference,
                                                         why
                                                             ?: r < 0 ? strerror(-r)
                                                                      : "its puller ended without a word")
                                                  : NULL;
    settle(p, pull, told ?: left);
    image_wait_changed(p->supervisor);
}

static bool is_insecure(const ImagePulls *p, const char *reference)
{
    ImageReference r;

    if (image_reference_parse(reference, &r, NULL) < 0)
        return false;
    bool insecure = strv_contains(p->supervisor->config->insecure_registries, r.registry);
    image_reference_done(&r);
    return insecure;
}

static void begin(ImagePulls *p, Pull *pull)
{
    const usec_t timeout = p->supervisor->config->pull_timeout;
    const PullRequest request = { .reference = pull->reference,
                                  .insecure = is_insecure(p, pull->reference),
                                  .timeout = timeout };

    pull->under_way = true;
    pull->deadline = usec_add(now(), usec_add(timeout, IMPORT_GRACE));
    int r = pull_request_write(p->dir, &request);
    if (r >= 0)
        r = pull_launch(p->launcher, pull->id);
    if (r < 0) {
        _cleanup_(freep) char *why =
            strf("\"%s\" cannot be pulled: its puller cannot be started: %s", pull->reference, strerror(-r));
        settle(p, pull, why ?: "out of memory");
        return;
    }
    log_info("The image \"%s\" is being pulled", pull->reference);
    set_timer(p);
}

PullVerdict image_pulls_want(ImagePulls *p, const char *reference, usec_t since, const char **ret_why)
{
    char id[PULL_ID_SIZE];

    pull_request_id(reference, id);
    Pull *pull = pull_find(p, id) ?: pull_new(p, reference, id);
    if (!pull) {
        *ret_why = "out of memory";
        return PULL_FAILED;
    }
    bool known = pull->settled > since;
    if (!pull->under_way && (pull->why ? now() >= pull->due : !known))
        begin(p, pull);
    if (pull->under_way)
        return PULL_UNDER_WAY;
    *ret_why = pull->why;
    return pull->why ? PULL_FAILED : PULL_SETTLED;
}

void image_pulls_hurry(ImagePulls *p, const char *reference)
{
    char id[PULL_ID_SIZE];

    pull_request_id(reference, id);
    Pull *pull = pull_find(p, id);
    if (pull && !pull->under_way)
        pull_free(p, pull);
    set_timer(p);
}

static void give_up(ImagePulls *p, Pull *pull)
{
    _cleanup_(freep) char *why = strf("\"%s\" cannot be pulled: its puller did not end", pull->reference);

    pull_abandon(p->launcher, pull->id);
    settle(p, pull, why ?: "out of memory");
}

/* Whoever still waits asks again, and by that begins what is due; what nobody waits for is forgotten. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    ImagePulls *p = userdata;

    for (Pull *pull = TAILQ_FIRST(&p->pulls), *next; pull; pull = next) {
        next = TAILQ_NEXT(pull, entry);
        if (pull->under_way && now() >= pull->deadline)
            give_up(p, pull);
        else if (!pull->under_way && pull->why && now() >= pull->due &&
                 !image_wait_wants(p->supervisor, pull->reference))
            pull_free(p, pull);
    }
    image_wait_changed(p->supervisor);
    set_timer(p);
    return 0;
}

/* What an earlier podvisord wanted is asked for anew by whoever needs it. */
static int remove_left(int dir)
{
    int r = 0, fd = dir_open_at(dir, ".");
    if (fd < 0)
        return fd;
    _cleanup_(closedirp) DIR *d = fdopendir(fd);
    if (!d) {
        safe_close(fd);
        return -ENOMEM;
    }
    for (struct dirent *e; r >= 0 && (e = readdir(d));)
        if (*e->d_name != '.' || str_ends_with(e->d_name, ".new"))
            r = file_remove_at(dir, e->d_name);
    return r;
}

int image_pulls_new(ImagePulls **ret, Supervisor *s)
{
    _cleanup_(image_pulls_freep) ImagePulls *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    p->supervisor = s;
    TAILQ_INIT(&p->pulls);
    p->dir = dir_make_at(s->run_dir, PATHS_PULLS, 0700);
    int r = p->dir < 0 ? p->dir : remove_left(p->dir);
    if (r >= 0)
        r = sd_event_add_time(s->event, &p->timer, CLOCK_BOOTTIME, 0, USEC_PER_SEC, on_timer, p);
    if (r < 0)
        return r;
    set_timer(p);
    (void)sd_event_source_set_description(p->timer, "pulls");
    if ((r = pull_launcher_new(&p->launcher, s, on_ended, p)) < 0)
        return r;
    *ret = take_ptr(p);
    return 0;
}

ImagePulls *image_pulls_free(ImagePulls *p)
{
    if (!p)
        return NULL;
    pull_launcher_free(p->launcher);
    sd_event_source_disable_unref(p->timer);
    while (!TAILQ_EMPTY(&p->pulls))
        pull_free(p, TAILQ_FIRST(&p->pulls));
    safe_close(p->dir);
    free(p);
    return NULL;
}
