/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strings.h"
#include "images/image-config.h"

/* What container tools set, and so what images rely on. */
static const char *const default_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void image_process_done(ImageProcess *process)
{
    strv_free(process->command);
    strv_free(process->environment);
    free(process->user);
    free(process->working_dir);
    free(process->stop_signal);
    *process = (ImageProcess){ 0 };
}

static int append_all(char ***to, char *const *from)
{
    STRV_FOREACH (s, (char **)from) {
        int r = strv_append(to, *s);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The element of environment with the key of assignment; NULL when there is none. */
static char **find_variable(char **environment, const char *assignment)
{
    size_t key = strcspn(assignment, "=") + 1;

    STRV_FOREACH (s, environment)
        if (strncmp(*s, assignment, key) == 0)
            return s;
    return NULL;
}

static int set_variables(char ***environment, char *const *from)
{
    STRV_FOREACH (s, (char **)from) {
        char **old = find_variable(*environment, *s);
        int r = old ? str_replace(old, *s) : strv_append(environment, *s);
        if (r < 0)
            return r;
    }
    return 0;
}

static int merge_command(const ImageConfig *image, const ContainerDefinition *container, char ***ret)
{
    if (container->command)
        return append_all(ret, container->command);
    if (!image->entrypoint && !image->command)
        return -ENOENT;
    int r = append_all(ret, image->entrypoint);
    return r < 0 ? r : append_all(ret, image->command);
}

static int merge_environment(const ImageConfig *image, const ContainerDefinition *container, char ***ret)
{
    int r = set_variables(ret, image->environment);
    if (r >= 0)
        r = set_variables(ret, container->environment);
    if (r >= 0 && !find_variable(*ret, default_path))
        r = strv_append(ret, default_path);
    return r;
}

static int merge_word(char **ret, const char *container, const char *image, const char *otherwise)
{
    return str_replace(ret, !str_empty(container) ? container : !str_empty(image) ? image : otherwise);
}

int image_config_merge(const ImageConfig *image, const ContainerDefinition *container, ImageProcess *ret)
{
    static const ContainerDefinition no_container = { 0 };
    static const ImageConfig no_image = { 0 };
    _cleanup_(image_process_done) ImageProcess p = { 0 };
    int r;

    image = image ?: &no_image;
    container = container ?: &no_container;
    if ((r = merge_command(image, container, &p.command)) < 0 ||
        (r = merge_environment(image, container, &p.environment)) < 0 ||
        (r = merge_word(&p.user, container->user, image->user, "0")) < 0 ||
        (r = merge_word(&p.working_dir, container->working_dir, image->working_dir, "/")) < 0 ||
        (r = merge_word(&p.stop_signal, container->stop_signal, image->stop_signal, "SIGTERM")) < 0)
        return r;
    *ret = take_struct(p);
    return 0;
}
