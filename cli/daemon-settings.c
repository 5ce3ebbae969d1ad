/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/daemon-settings.h"

int daemon_settings_load(const Context *c, DaemonConfig *ret)
{
    Diagnostics diagnostics = { 0 };

    int r = daemon_config_load(c->paths.config, ret, &diagnostics);
    if (r < 0 && r != -ENOMEM)
        log_warning_errno(r, "%s cannot be read; its defaults are taken", c->paths.config);
    for (size_t i = 0; i < diagnostics.n_items; i++)
        log_warning("%s:%u: %s", diagnostics.items[i].file, diagnostics.items[i].line,
                    diagnostics.items[i].text);
    diagnostics_done(&diagnostics);
    return r == -ENOMEM ? r : r != 0;
}
