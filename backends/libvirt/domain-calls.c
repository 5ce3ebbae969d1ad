/* SPDX-License-Identifier: Apache-2.0 */
#include <libvirt/virterror.h>
#include <time.h>

#include "backends/libvirt/domain-calls.h"
#include "backends/libvirt/domain-xml.h"
#include "base/strings.h"

static void domain_unref(virDomainPtr *domain)
{
    if (*domain)
        (void)virDomainFree(*domain);
}

/* --- whose domain -------------------------------------------------------------------------------------------------------- */

/* key="value" or key='value' somewhere in one element, the value as XML writes it. */
static bool has_attribute(const char *element, const char *key, const char *value)
{
    _cleanup_(freep) char *one = strf(" %s=\"%s\"", key, value), *other = strf(" %s='%s'", key, value);

    return one && other && (strstr(element, one) || strstr(element, other));
}

static char *metadata_of(virDomainPtr domain)
{
    return virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, DOMAIN_XML_NAMESPACE, 0);
}

static bool is_ours(virDomainPtr domain, const Job *job)
{
    char uuid[ID128_TEXT_SIZE];
    _cleanup_(freep) char *metadata = metadata_of(domain);

    return metadata && has_attribute(metadata, "uuid", id128_format(job->uuid, uuid)) &&
           has_attribute(metadata, "run", job->vm_dir);
}

static bool is_left_over(virDomainPtr domain, const Job *job)
{
    _cleanup_(freep) char *metadata = metadata_of(domain);

    return metadata && has_attribute(metadata, "run", job->vm_dir) && virDomainIsPersistent(domain) == 0;
}

static int facts_take(virDomainPtr domain, Job *job)
{
    DomainFacts *f = &job->facts;

    f->found = true;
    f->ours = is_ours(domain, job);
    if (virDomainGetState(domain, &f->state, &f->reason, 0) < 0)
        return -EREMOTEIO;
    _cleanup_(freep) char *xml = virDomainGetXMLDesc(domain, 0);
    f->kvm = xml && str_after(xml, "<domain type='kvm'");
    return 0;
}

/* 1 with the domain, 0 when there is none, or negative errno. */
static int find(virConnectPtr connection, const Job *job, virDomainPtr *ret)
{
    const virError *error;

    *ret = virDomainLookupByUUID(connection, job->uuid.bytes);
    if (*ret)
        return 1;
    error = virGetLastError();
    return error && error->code == VIR_ERR_NO_DOMAIN ? 0 : -EREMOTEIO;
}

/* The same, when it must be ours. */
static int find_ours(virConnectPtr connection, Job *job, virDomainPtr *ret)
{
    int r = find(connection, job, ret);

    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    if (is_ours(*ret, job))
        return 0;
    job->why = strdup("the domain of this UUID is not podvisor's");
    return -EEXIST;
}

/* --- before a start -------------------------------------------------------------------------------------------------------- */

/* "<model>dac</model> ... <baselabel type='kvm'>+64055:+64055</baselabel>" -> 64055 */
static uint64_t uid_in(const char *capabilities)
{
    const char *p = capabilities ? strstr(capabilities, "<model>dac</model>") : NULL;
    char *end;

    p = p ? strstr(p, "<baselabel type='") : NULL;
    p = p ? strstr(p, ">+") : NULL;
    if (!p)
        return UINT64_MAX;
    unsigned long long uid = strtoull(p + 2, &end, 10);
    return *end == ':' ? uid : UINT64_MAX;
}

/* The first driver besides that of file owners; NULL: there is none. */
static char *security_model_in(const char *capabilities)
{
    static const char begin[] = "<secmodel>";
    const char *p = capabilities;

    while ((p = strstr(p, begin))) {
        const char *model = strstr(p, "<model>");
        p += sizeof begin - 1;
        if (!model)
            return NULL;
        model += sizeof "<model>" - 1;
        size_t n = strcspn(model, "<");
        if (strncmp(model, "dac<", 4) != 0 && strncmp(model, "none<", 5) != 0)
            return strf("%.*s", (int)n, model);
    }
    return NULL;
}

int domain_call_probe(Worker *w, virConnectPtr connection, Job *job)
{
    _cleanup_(freep) char *host = virConnectGetCapabilities(connection);
    if (!host)
        return -EREMOTEIO;
    _cleanup_(freep) char *kvm =
        virConnectGetDomainCapabilities(connection, job->emulator, "x86_64", job->machine, "kvm", 0);
    job->kvm = kvm && strstr(kvm, "<domain>kvm</domain>");
    job->uid = uid_in(host);
    job->security_model = security_model_in(host);
    return 0;
}

/* --- the start ------------------------------------------------------------------------------------------------------------ */

/* Something of our name that is in the way, or was when it was looked up: 0 when it was ours and is not any more. */
static int name_clear_one(virConnectPtr connection, Job *job, virDomainPtr other)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    char text[VIR_UUID_STRING_BUFLEN] = "?";

    if (is_left_over(other, job) && virDomainDestroy(other) >= 0)
        return 0;
    if (virDomainGetUUID(other, uuid) < 0)
        return -EREMOTEIO;
    /* What libvirt was about to forget tells nothing of itself. */
    _cleanup_(domain_unref) virDomainPtr again = virDomainLookupByUUID(connection, uuid);
    if (!again || is_left_over(again, job))
        return 0;
    (void)virDomainGetUUIDString(other, text);
    job->why = strf("libvirt has a domain of this name that is not podvisor's%s: %s, %s",
                    virDomainIsPersistent(other) > 0 ? " but was defined by somebody (virsh undefine)" : "",
                    job->name, text);
    return -EEXIST;
}

/* 0 with the domain, -EAGAIN while libvirt has not forgotten what had our name, or another negative errno. */
static int create_once(virConnectPtr connection, Job *job, virDomainPtr *ret)
{
    _cleanup_(domain_unref) virDomainPtr other = virDomainLookupByName(connection, job->name);

    if (other) {
        int r = name_clear_one(connection, job, other);
        return r < 0 ? r : -EAGAIN;
    }
    *ret = virDomainCreateXML(connection, job->xml, job->flags);
    if (*ret)
        return 0;
    bool refused = virGetLastErrorCode() == VIR_ERR_OPERATION_FAILED;
    (void)str_replace(&job->why, virGetLastErrorMessage());
    /* An earlier runner's request may have been on its way when this one looked first. */
    int r = find(connection, job, ret);
    if (r > 0)
        job->why = (free(job->why), NULL);
    return r > 0 ? 0 : refused ? -EAGAIN : -EIO;
}

/*
 * The machine of an attempt before is gone when its process is; libvirt needs a while to see it, the longer when its daemon has just
 * begun. Until then the name is taken, in the end by a domain that no look-up finds any more, and nobody is told when it is free.
 */
static int create(virConnectPtr connection, Job *job, virDomainPtr *ret)
{
    enum { WAIT_FIRST_MSEC = 5, ROUNDS = 11 }; /* five seconds in all */
    int r = -EAGAIN;

    for (unsigned i = 0, wait = WAIT_FIRST_MSEC; r == -EAGAIN && i < ROUNDS; i++, wait *= 2) {
        if (i > 0)
            (void)nanosleep(&(struct timespec){ .tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000L },
                            NULL);
        r = create_once(connection, job, ret);
    }
    return r == -EAGAIN ? -EIO : r;
}

int domain_call_create(Worker *w, virConnectPtr connection, Job *job)
{
    _cleanup_(domain_unref) virDomainPtr domain = NULL;

    int r = find(connection, job, &domain);
    if (r == 0)
        r = create(connection, job, &domain);
    if (r < 0)
        return r;
    if (!is_ours(domain, job)) {
        job->why = strdup("libvirt has a domain of this UUID that is not podvisor's");
        return -EEXIST;
    }
    worker_watch(w, connection, domain);
    return facts_take(domain, job);
}

/* --- afterwards -------------------------------------------------------------------------------------------------------------- */

int domain_call_look(Worker *w, virConnectPtr connection, Job *job)
{
    _cleanup_(domain_unref) virDomainPtr domain = NULL;

    job->uid = UINT64_MAX;
    int r = find(connection, job, &domain);
    if (r <= 0)
        return r;
    /* First, so that nothing happens between the look and the watch. */
    worker_watch(w, connection, domain);
    if (job->ask_uid) {
        _cleanup_(freep) char *host = virConnectGetCapabilities(connection);
        job->uid = uid_in(host);
    }
    return facts_take(domain, job);
}

/* One that is in that state already refuses, but only when it is asked is what goes on with it over: a domain that libvirt is still making
 * says that it runs. */
static int order(virConnectPtr connection, Job *job, int state, int (*func)(virDomainPtr domain))
{
    _cleanup_(domain_unref) virDomainPtr domain = NULL;
    int now, reason;

    int r = find_ours(connection, job, &domain);
    if (r < 0)
        return r;
    if (func(domain) >= 0)
        return 0;
    job->why = strdup(virGetLastErrorMessage());
    if (virDomainGetState(domain, &now, &reason, 0) < 0 || now != state)
        return -EIO;
    job->why = (free(job->why), NULL);
    return 0;
}

int domain_call_suspend(Worker *w, virConnectPtr connection, Job *job)
{
    return order(connection, job, VIR_DOMAIN_PAUSED, virDomainSuspend);
}

int domain_call_resume(Worker *w, virConnectPtr connection, Job *job)
{
    return order(connection, job, VIR_DOMAIN_RUNNING, virDomainResume);
}

int domain_call_destroy(Worker *w, virConnectPtr connection, Job *job)
{
    return order(connection, job, VIR_DOMAIN_SHUTOFF, virDomainDestroy);
}
