/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/log.h"
#include "cli/daemon-settings.h"
#include "schemas/schema-config.h"

enum { SETTINGS_SIZE_MAX = 1024 * 1024 };

int daemon_settings_load(const Context *c, DaemonConfig *ret)
{
    Diagnostics diagnostics = { 0 };
    Locations locations = { 0 };
    Bytes text = { 0 };

    int r = file_read_at(AT_FDCWD, c->paths.config, SETTINGS_SIZE_MAX, &text);
    bool unreadable = r < 0 && r != -ENOENT;
    if (unreadable)
        log_warning_errno(r, "%s cannot be read; its defaults are taken", c->paths.config);
    r = schema_read_config(&daemon_config_schema, ret, c->paths.config, text.data ?: (const uint8_t *)"",
                           text.size, &diagnostics, &locations);
    for (size_t i = 0; i < diagnostics.n_items; i++)
        log_warning("%s:%u: %s", diagnostics.items[i].file, diagnostics.items[i].line,
                    diagnostics.items[i].text);
    diagnostics_done(&diagnostics);
    locations_done(&locations);
    bytes_done(&text);
    return r < 0 ? r : unreadable || r > 0;
}
