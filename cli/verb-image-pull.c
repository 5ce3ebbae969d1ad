/* SPDX-License-Identifier: Apache-2.0 */
/* podvisor image import and pull: what makes an image. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strings.h"
#include "cli/daemon-settings.h"
#include "cli/exit-status.h"
#include "cli/image-progress.h"
#include "cli/image-verbs.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "images/image-reference.h"

static const EnumRow truth_rows[] = {
    [false] = { "false", "anything may answer, also without TLS" },
    [true] = { "true", "the registry must have a certificate that this host trusts" },
};
const EnumTable truth_table = { .what = "whether TLS is wanted",
                                .rows = truth_rows,
                                .n = ELEMENTSOF(truth_rows) };

/* --- import ----------------------------------------------------------------------------------------------------- */

static int show_record(const Context *c, const char *name, const ImageRecord *record)
{
    _cleanup_(freep) char *size = text_memory(record->size);
    _cleanup_(json_releasep) Json *json = NULL;

    if (!option_given(c, OPTION_JSON)) {
        printf("%s: %s, %s\n", name, record->digest, size ?: "?");
        return STATUS_OK;
    }
    json = schema_to_json(&image_record_schema, record);
    int r = json_print(json, (JsonStyle)c->options[OPTION_JSON].number, stdout);
    return r < 0 ? image_complain(name, r, NULL) : STATUS_OK;
}

int verb_image_import(Context *c)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    ImageProgress progress;
    char *sentence = NULL;
    ImageRecord record;
    const ImportOptions import = {
        .name = c->arguments[0],
        .source = c->arguments[1],
        .tag = c->options[OPTION_TAG].text,
        .progress = image_progress_phase,
        .userdata = &progress,
    };

    int status = image_open_store(c, IMAGE_WRITE, &store);
    if (status != STATUS_OK)
        return status;
    image_progress_begin(&progress, c->arguments[0]);
    int r = image_import(store, &import, &record, &sentence);
    image_progress_end(&progress);
    if (r < 0) {
        status = image_complain(c->arguments[1], r, sentence);
        /* What could not be found is a file or a part of one, and no image. */
        return status == STATUS_NOT_FOUND ? STATUS_FAILURE : status;
    }
    status = show_record(c, c->arguments[0], &record);
    image_record_done(&record);
    return status;
}

/* --- pull ------------------------------------------------------------------------------------------------------- */

/* By the option, else by what podvisord.conf says of this registry. */
static bool is_insecure(const Context *c)
{
    ImageReference reference;
    DaemonConfig config;

    if (option_given(c, OPTION_TLS_VERIFY))
        return !c->options[OPTION_TLS_VERIFY].number;
    /* What is no reference is told by the pull. */
    if (image_reference_parse(c->arguments[0], &reference, NULL) < 0)
        return false;
    bool insecure = false;
    if (daemon_settings_load(c, &config) >= 0) {
        insecure = strv_contains(config.insecure_registries, reference.registry);
        schema_done(&daemon_config_schema, &config);
    }
    image_reference_done(&reference);
    return insecure;
}

static int show_pulled(const Context *c, const ImagePulled *pulled, bool current)
{
    _cleanup_(freep) char *size = text_memory(pulled->record.size);
    _cleanup_(json_releasep) Json *json = NULL;

    if (!option_given(c, OPTION_JSON)) {
        printf("%s: %s, %s, %s %s\n", pulled->name, pulled->record.digest, size ?: "?",
               current ? "still the registry's" : "from the registry's", pulled->manifest);
        return STATUS_OK;
    }
    json = schema_to_json(&image_record_schema, &pulled->record);
    int r = json ? json_put(json, "name", json_text(pulled->name)) : -ENOMEM;
    if (r >= 0)
        r = json_put(json, "manifest", json_text(pulled->manifest));
    if (r >= 0)
        r = json_print(json, (JsonStyle)c->options[OPTION_JSON].number, stdout);
    return r < 0 ? image_complain(pulled->name, r, NULL) : STATUS_OK;
}

int verb_image_pull(Context *c)
{
    _cleanup_(image_store_freep) ImageStore *store = NULL;
    ImageProgress progress;
    char *sentence = NULL;
    ImagePulled pulled;
    const OptionValue *timeout = &c->options[OPTION_TIMEOUT];
    const PullOptions pull = {
        .reference = c->arguments[0],
        .name = c->options[OPTION_NAME].text,
        .insecure = is_insecure(c),
        .environment = environ,
        .timeout = timeout->given ? MAX(timeout->number, 1) : 0,
        .fetching = image_progress_fetching,
        .progress = image_progress_phase,
        .userdata = &progress,
    };

    int status = image_open_store(c, IMAGE_WRITE, &store);
    if (status != STATUS_OK)
        return status;
    image_progress_begin(&progress, c->arguments[0]);
    int r = image_pull(store, &pull, &pulled, &sentence);
    image_progress_end(&progress);
    if (r < 0)
        return image_complain(c->arguments[0], r, sentence);
    status = show_pulled(c, &pulled, r == PULL_CURRENT);
    image_pulled_done(&pulled);
    return status;
}
