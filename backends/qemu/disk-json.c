/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/qemu/disk-json.h"
#include "base/strings.h"

/* read-only on both layers: the lower one would otherwise try to open for writing what is open for reading. */
char *disk_image_node(const CommandLineDisk *d)
{
    return strf(
        "{\"driver\":\"raw\",\"node-name\":\"image%u\",\"read-only\":true,\"file\":{\"driver\":\"file\","
        "\"filename\":\"/dev/fdset/%u\",\"read-only\":true}}",
        d->id, disk_set(d->id));
}

static char *image_device(unsigned id, const char *node)
{
    return strf("{\"driver\":\"scsi-hd\",\"bus\":\"scsi0.0\",\"scsi-id\":%u,\"lun\":0,\"drive\":\"%s\","
                "\"id\":\"disk%u\",\"serial\":\"image%u\"}",
                id, node, id, id);
}

char *disk_image_device(const CommandLineDisk *d)
{
    _cleanup_(freep) char *node = strf("image%u", d->id);

    return node ? image_device(d->id, node) : NULL;
}

char *disk_placeholder_node(void)
{
    return strdup("{\"driver\":\"null-co\",\"node-name\":\"" DISK_PLACEHOLDER "\",\"size\":1099511627776,"
                  "\"read-zeroes\":true,\"read-only\":true}");
}

char *disk_placeholder_device(void)
{
    return image_device(0, DISK_PLACEHOLDER);
}

/* "No image behind it", whatever the image itself says. What is lost with the machine needs not be on the host's disk at any time, and
 * gives back what the guest has removed. */
char *disk_volume_node(const DiskFile *d)
{
    const char *read_only = d->read_only ? "true" : "false";
    const char *scratch = d->scratch ? "\"discard\":\"unmap\",\"cache\":{\"no-flush\":true}," : "";

    return strf("{\"driver\":\"%s\",\"node-name\":\"volume%u\",\"read-only\":%s,%s%s\"file\":{\"driver\":"
                "\"%s\",\"filename\":\"/dev/fdset/%u\",\"read-only\":%s,%s\"locking\":\"on\"}}",
                enum_to_string(&disk_format_table, (int)d->format), (unsigned)d->id, read_only,
                d->format == DISK_QCOW2 ? "\"backing\":null," : "", scratch,
                d->device ? "host_device" : "file", disk_set(d->id), read_only, scratch);
}

/* A write for which the host has no room fails in the guest, which can tell whom it concerns, and does not stop the whole machine. */
char *disk_volume_device(const DiskFile *d)
{
    unsigned id = (unsigned)d->id;

    return strf("{\"driver\":\"scsi-hd\",\"bus\":\"scsi0.0\",\"scsi-id\":%u,\"lun\":0,\"drive\":\"volume%u\","
                "\"id\":\"disk%u\",\"serial\":\"volume%u\",\"werror\":\"report\",\"rerror\":\"report\"}",
                id, id, id, id);
}
