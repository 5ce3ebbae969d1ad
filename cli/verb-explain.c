/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor explain: what a key of a pod file, or of podvisord.conf, means. */
#include "base/log.h"
#include "cli/exit-status.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "schemas/daemon-config.h"
#include "schemas/pod-definition.h"

int verb_explain(Context *c)
{
    const Schema *schema = option_given(c, OPTION_DAEMON) ? &daemon_config_schema : &pod_schema;
    const char *key = c->arguments ? c->arguments[0] : NULL, *meant = NULL;

    Pager pager = pager_open(c);
    int r = schema_explain(schema, key, stdout, &meant);
    pager_close(&pager);
    if (r == -ENOENT && meant)
        log_error("there is no key \"%s\"; did you mean \"%s\"?", key, meant);
    else if (r == -ENOENT)
        log_error("there is no key \"%s\"; `podvisor explain%s` lists those of %s", key,
                  option_given(c, OPTION_DAEMON) ? " --daemon" : "",
                  option_given(c, OPTION_DAEMON) ? schema->name : "a pod file");
    else if (r < 0)
        log_error_errno(r, "The key cannot be explained");
    return r == -ENOENT ? STATUS_NOT_FOUND : r < 0 ? STATUS_FAILURE : STATUS_OK;
}
