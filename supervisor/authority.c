/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/authority.h"

#include "base/log.h"
#include "base/strings.h"

#define BUS_DEADLINE (20 * USEC_PER_SEC)
#define POLKIT_DEADLINE (20 * USEC_PER_SEC)
#define HUMAN_DEADLINE (5 * 60 * USEC_PER_SEC)

#define DRIVER "org.freedesktop.DBus"
#define DRIVER_PATH "/org/freedesktop/DBus"
#define POLKIT "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE POLKIT ".Authority"

enum {
    OF_A_CALLER_MAX = 8,
    OF_A_USER_MAX = 16, /* as far as users are known yet */
    OF_POLKIT_MAX = 64, /* the bus lets a connection wait for 128 answers, and others here wait for theirs */
    QUESTIONS_MAX = 4096,
    LIGHT = 1024,                  /* bytes; a message that holds no more is never too heavy */
    WEIGHT_MAX = 32 * 1024 * 1024, /* bytes of all messages that wait */
};

#define UID_UNKNOWN ((uid_t)-1)

DEFINE_ENUM_TABLE(effect, "effect of a call",
                  EFFECT_MAX, [EFFECT_READ] = { "read", "See the pods and all that is known of them" },
                  [EFFECT_MANAGE] = { "manage",
                                      "Start, stop, pause and kill pods, and read definitions again" },
                  [EFFECT_EXEC] = { "exec",
                                    "Run programs inside of pods, copy their files, and see what runs" });

typedef struct Question Question;
TAILQ_HEAD(Questions, Question);

struct Authority {
    SystemBus *bus;
    AuthorityFunc func;
    void *userdata;
    struct Questions questions;
    unsigned n_questions;
    unsigned n_polkit; /* questions that polkit has */
    sd_bus_slot *left; /* while there are questions: somebody has left the bus */
    size_t weight;
    uint64_t last_id;
    bool absent; /* polkit, and that was said */
};

struct Question {
    Authority *owner;
    sd_bus_message *message;
    Effect effect;
    char *pod;
    size_t weight;
    uid_t uid;
    uint64_t polkit_id; /* 0: polkit is not being asked */
    sd_bus_slot *call;  /* the call to the bus or to polkit */
    TAILQ_ENTRY(Question) entry;
};

/* --- questions ------------------------------------------------------------------------------------------------------ */

static Question *question_free(Question *q)
{
    TAILQ_REMOVE(&q->owner->questions, q, entry);
    q->owner->n_questions--;
    q->owner->weight -= q->weight;
    q->owner->n_polkit -= q->polkit_id > 0;
    if (q->owner->n_questions == 0)
        q->owner->left = sd_bus_slot_unref(q->owner->left);
    sd_bus_slot_unref(q->call);
    sd_bus_message_unref(q->message);
    free(q->pod);
    free(q);
    return NULL;
}

static void answer(Question *q, AuthorityVerdict verdict)
{
    Authority *a = q->owner;
    sd_bus_message *m = sd_bus_message_ref(q->message);

    question_free(q);
    a->func(a->userdata, m, verdict);
    sd_bus_message_unref(m);
}

static bool is_too_much(const Authority *a, const char *sender, size_t weight)
{
    unsigned of_caller = 0;
    Question *q;

    if (a->n_questions >= QUESTIONS_MAX || (weight > LIGHT && a->weight + weight > WEIGHT_MAX))
        return true;
    TAILQ_FOREACH(q, &a->questions, entry)
    of_caller += streq(sd_bus_message_get_sender(q->message), sender);
    return of_caller >= OF_A_CALLER_MAX;
}

static bool is_too_much_of(const Authority *a, uid_t uid)
{
    unsigned of_user = 0;
    Question *q;

    TAILQ_FOREACH(q, &a->questions, entry)
    of_user += q->uid == uid;
    return of_user > OF_A_USER_MAX || a->n_polkit >= OF_POLKIT_MAX;
}

/* --- polkit --------------------------------------------------------------------------------------------------------- */

static char *polkit_id(uint64_t id)
{
    return strf("podvisord-%llu", (unsigned long long)id);
}

static void cancel_polkit(const Question *q)
{
    _cleanup_(freep) char *id = q->polkit_id > 0 ? polkit_id(q->polkit_id) : NULL;
    sd_bus *bus = system_bus_get(q->owner->bus);

    if (id && bus)
        (void)sd_bus_call_method_async(bus, NULL, POLKIT, POLKIT_PATH, POLKIT_INTERFACE,
                                       "CancelCheckAuthorization", NULL, NULL, "s", id);
}

static AuthorityVerdict verdict_of_error(Authority *a, const sd_bus_error *error)
{
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
        sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
        return AUTHORITY_TIMEOUT;
    if (!a->absent)
        log_warning("polkit cannot be asked, so only root may use podvisor on the message bus: %s",
                    error->message ?: error->name);
    a->absent = true;
    return AUTHORITY_ABSENT;
}

static AuthorityVerdict verdict_of_reply(Authority *a, sd_bus_message *reply)
{
    int allowed, challenge;

    a->absent = false;
    if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
        sd_bus_message_read(reply, "bb", &allowed, &challenge) < 0)
        return AUTHORITY_DENIED;
    return allowed ? AUTHORITY_ALLOWED : challenge ? AUTHORITY_CHALLENGE : AUTHORITY_DENIED;
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    Question *q = userdata;
    AuthorityVerdict verdict = sd_bus_message_is_method_error(reply, NULL)
                                   ? verdict_of_error(q->owner, sd_bus_message_get_error(reply))
                                   : verdict_of_reply(q->owner, reply);

    if (verdict == AUTHORITY_TIMEOUT)
        cancel_polkit(q);
    answer(q, verdict);
    return 0;
}

/* The subject: whoever has this name on the bus. */
static int append_subject(sd_bus_message *m, const char *sender)
{
    return sd_bus_message_append(m, "(sa{sv})", "system-bus-name", 1, "name", "s", sender);
}

static int append_details(sd_bus_message *m, const Question *q)
{
    const char *method = sd_bus_message_get_member(q->message);

    return q->pod ? sd_bus_message_append(m, "a{ss}", 2, "method", method, "pod", q->pod)
                  : sd_bus_message_append(m, "a{ss}", 1, "method", method);
}

static int ask_polkit(Question *q)
{
    bool interactive = sd_bus_message_get_allow_interactive_authorization(q->message) > 0;
    _cleanup_(freep) char *action = strf("org.podvisor.%s", enum_to_string(&effect_table, (int)q->effect));
    _cleanup_(freep) char *id = polkit_id(q->polkit_id = ++q->owner->last_id);
    sd_bus *bus = system_bus_get(q->owner->bus);
    sd_bus_message *m = NULL;

    q->owner->n_polkit++;
    if (!action || !id)
        return -ENOMEM;
    int r =
        sd_bus_message_new_method_call(bus, &m, POLKIT, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
    if (r >= 0)
        r = append_subject(m, sd_bus_message_get_sender(q->message));
    if (r >= 0)
        r = sd_bus_message_append(m, "s", action);
    if (r >= 0)
        r = append_details(m, q);
    if (r >= 0)
        r = sd_bus_message_append(m, "us", (uint32_t)interactive, id);
    if (r >= 0)
        r = sd_bus_call_async(bus, &q->call, m, on_polkit, q, interactive ? HUMAN_DEADLINE : POLKIT_DEADLINE);
    sd_bus_message_unref(m);
    return r;
}

/* --- the caller ----------------------------------------------------------------------------------------------------- */

static int on_left(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    Authority *a = userdata;
    const char *name;
    Question *q, *next;

    if (sd_bus_message_read(m, "s", &name) < 0)
        return 0;
    for (q = TAILQ_FIRST(&a->questions); q; q = next) {
        next = TAILQ_NEXT(q, entry);
        if (!streq(sd_bus_message_get_sender(q->message), name))
            continue;
        cancel_polkit(q);
        question_free(q);
    }
    return 0;
}

/* One match for all callers, since the bus allows a connection some hundred; none while nobody asks. */
static int watch_leaving(Authority *a, sd_bus *bus)
{
    if (a->left)
        return 0;
    return sd_bus_add_match_async(bus, &a->left,
                                  "type='signal',sender='" DRIVER "',path='" DRIVER_PATH
                                  "',interface='" DRIVER "',member='NameOwnerChanged',arg2=''",
                                  on_left, NULL, a);
}

static int on_uid(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    Question *q = userdata;
    uint32_t uid;

    q->call = sd_bus_slot_unref(q->call);
    /* The bus knows everybody who is there. */
    if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
        question_free(q);
        return 0;
    }
    if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &uid) < 0) {
        answer(q, AUTHORITY_TIMEOUT);
        return 0;
    }
    q->uid = uid;
    if (uid == 0 || uid == geteuid())
        answer(q, AUTHORITY_ALLOWED);
    else if (is_too_much_of(q->owner, uid))
        answer(q, AUTHORITY_BUSY);
    else if (ask_polkit(q) < 0)
        answer(q, AUTHORITY_ABSENT);
    return 0;
}

static int ask_bus(Question *q, sd_bus *bus)
{
    const char *sender = sd_bus_message_get_sender(q->message);
    sd_bus_message *m = NULL;

    /* Watched first and asked for then: a caller that has left before is unknown to the bus. */
    int r = watch_leaving(q->owner, bus);
    if (r >= 0)
        r = sd_bus_message_new_method_call(bus, &m, DRIVER, DRIVER_PATH, DRIVER, "GetConnectionUnixUser");
    if (r >= 0)
        r = sd_bus_message_append(m, "s", sender);
    if (r >= 0)
        r = sd_bus_call_async(bus, &q->call, m, on_uid, q, BUS_DEADLINE);
    sd_bus_message_unref(m);
    return r;
}

/* --- life ----------------------------------------------------------------------------------------------------------- */

int authority_new(Authority **ret, SystemBus *bus, AuthorityFunc func, void *userdata)
{
    Authority *a = calloc(1, sizeof *a);

    if (!a)
        return -ENOMEM;
    *a = (Authority){ .bus = bus, .func = func, .userdata = userdata };
    TAILQ_INIT(&a->questions);
    *ret = a;
    return 0;
}

Authority *authority_free(Authority *a)
{
    if (a)
        authority_forget(a);
    free(a);
    return NULL;
}

int authority_ask(Authority *a, sd_bus_message *m, Effect effect, const char *pod, size_t weight)
{
    sd_bus *bus = system_bus_get(a->bus);

    if (!bus || !sd_bus_message_get_sender(m))
        return -ENOTCONN;
    if (is_too_much(a, sd_bus_message_get_sender(m), weight)) {
        a->func(a->userdata, m, AUTHORITY_BUSY);
        return 0;
    }
    Question *q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    *q = (Question){
        .owner = a, .message = sd_bus_message_ref(m), .effect = effect, .weight = weight, .uid = UID_UNKNOWN
    };
    TAILQ_INSERT_TAIL(&a->questions, q, entry);
    a->n_questions++;
    a->weight += weight;
    int r = str_replace(&q->pod, pod);
    if (r >= 0)
        r = ask_bus(q, bus);
    if (r < 0)
        question_free(q);
    return r < 0 ? r : 0;
}

void authority_forget(Authority *a)
{
    while (!TAILQ_EMPTY(&a->questions))
        question_free(TAILQ_FIRST(&a->questions));
}
