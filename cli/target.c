/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/strings.h"
#include "cli/exit-status.h"
#include "cli/target.h"
#include "schemas/formats.h"

void target_done(Target *t)
{
    free(t->pod);
    free(t->container);
    free(t->name);
    *t = (Target){ 0 };
}

static int out_of_memory(void)
{
    log_error_errno(-ENOMEM, "The container cannot be found");
    return STATUS_FAILURE;
}

static int complain_containers(const PodStatus *status)
{
    _cleanup_(strv_freep) char **names = NULL;

    for (size_t i = 0; i < status->n_containers; i++)
        if (status->containers[i].name && strv_append(&names, status->containers[i].name) < 0)
            return out_of_memory();
    _cleanup_(freep) char *list = strv_join(names, ", ");
    if (status->n_containers == 0)
        log_error("%s is %s; no container runs in it", status->name,
                  enum_to_string(&pod_state_table, (int)status->state));
    else
        log_error("%s has several containers; say which: %s/CONTAINER, of %s", status->name, status->name,
                  list ?: "?");
    return status->n_containers == 0 ? STATUS_WRONG_STATE : STATUS_USAGE;
}

/* The container of a pod that was named alone: what the pod is for, where that is one. */
static int find_container(Client *client, Target *t)
{
    PodStatus status;

    int r = client_get(client, t->pod, &status, NULL);
    if (r != STATUS_OK)
        return r;
    const char *only = NULL;
    size_t n = 0;
    for (size_t i = 0; i < status.n_containers; i++)
        if (status.containers[i].role == CONTAINER_MAIN && n++ == 0)
            only = status.containers[i].name;
    if (n != 1)
        r = complain_containers(&status);
    else if (str_replace(&t->container, only) < 0)
        r = out_of_memory();
    schema_done(&pod_status_schema, &status);
    return r;
}

int target_parse(Client *client, const char *word, Target *ret)
{
    size_t pod = strcspn(word, "/");

    ret->pod = strndup(word, pod);
    if (word[pod])
        ret->container = strdup(word + pod + 1);
    if (!ret->pod || (word[pod] && !ret->container))
        return out_of_memory();
    int r = str_empty(ret->container) ? find_container(client, ret) : STATUS_OK;
    if (r != STATUS_OK)
        return r;
    ret->name = strf("%s/%s", ret->pod, ret->container ?: "?");
    return ret->name ? STATUS_OK : out_of_memory();
}

bool target_is(const char *word, size_t n)
{
    const char *slash = memchr(word, '/', n);
    _cleanup_(freep) char *pod = strndup(word, slash ? (size_t)(slash - word) : n);
    _cleanup_(freep) char *container = slash ? strndup(slash + 1, n - (size_t)(slash + 1 - word)) : NULL;

    return pod && format_name.valid(pod) && (!slash || (container && format_name.valid(container)));
}
