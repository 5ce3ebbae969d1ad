/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/guest.h"
#include "tests/unit/test.h"

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);

    if (!value)
        fail_msg("%s is not set", name);
    return value;
}

/* Says a line and waits. It ends by SIGKILL, since a shell that has just been started may not have set its trap yet. */
static void command_fill(RunImage *image, ContainerDefinition *container)
{
    assert_success(strv_append(&image->command, "/bin/busybox"));
    assert_success(strv_append(&image->command, "sh"));
    assert_success(strv_append(&image->command, "-c"));
    assert_success(strv_append(&image->command, "echo hello; exec sleep 3600"));
    assert_success(str_replace(&container->stop_signal, "KILL"));
}

void guest_fill(RunDefinition *d)
{
    const char *folder = from_environment("PODVISOR_TEST_GUEST");
    RunImage *image = field_append(schema_field(&run_definition_schema, "images"), d);

    d->qemu = strdup("/usr/bin/qemu-system-x86_64");
    d->kernel = strf("%s/vmlinux", folder);
    d->initrd = strf("%s/initrd", folder);
    d->pod.memory = UINT64_C(128) << 20;
    assert_non_null(image);
    image->container = strdup(d->pod.containers[0].name);
    image->digest = strdup("sha256:0");
    image->path = strdup(from_environment("PODVISOR_TEST_IMAGE"));
    command_fill(image, &d->pod.containers[0]);
}
