/* SPDX-License-Identifier: Apache-2.0 */
/* Disks of volumes, secrets and config files, of an agent on this machine: a disk is a memory file system here. */
#include <sys/stat.h>

#include "guest/agent/volumes.h"
#include "tests/unit/agent/fixture.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

static void mount_add(AgentContainer *c, const MountDefinition *m)
{
    MountDefinition *to = field_append(schema_field(&container_schema, "mounts"), &c->definition), copy;

    assert_non_null(to);
    assert_success(schema_copy(&mount_schema, m, &copy));
    schema_done(&mount_schema, to);
    *to = copy;
}
#define MOUNT(c, ...) mount_add(c, &(MountDefinition){ __VA_ARGS__ })

/* Configures the agent with the disk "data", SCSI id 32; the reply's error. */
static int configure(Peer *p, VolumeDefinition volume, AgentContainer *containers, size_t n)
{
    AgentDisk disk = { .volume = TEXT("data"), .disk = 32 };
    AgentConfigure configure = {
        .hostname = TEXT("web"),
        .volumes = &volume,
        .n_volumes = 1,
        .disks = &disk,
        .n_disks = 1,
        .containers = containers,
        .n_containers = n,
        .stop_timeout = 30 * USEC_PER_SEC,
    };

    peer_hello(p, 7, p->token, 1, AGENT_PROTOCOL_MAX);
    return peer_ask(p, AGENT_CONFIGURE, &configure);
}

/* The same with a directory of the host. */
static int configure_share(Peer *p, AgentContainer *containers, size_t n)
{
    VolumeDefinition volume = { .name = TEXT("data"), .type = VOLUME_SHARE, .mode = SHARE_LIVE };
    AgentShare share = { .volume = TEXT("data"), .tag = TEXT("volume7") };
    AgentConfigure configure = {
        .hostname = TEXT("web"),
        .volumes = &volume,
        .n_volumes = 1,
        .shares = &share,
        .n_shares = 1,
        .containers = containers,
        .n_containers = n,
        .stop_timeout = 30 * USEC_PER_SEC,
    };

    peer_hello(p, 7, p->token, 1, AGENT_PROTOCOL_MAX);
    return peer_ask(p, AGENT_CONFIGURE, &configure);
}

static const VolumeDefinition data = { .name = (char[]){ "data" }, .type = VOLUME_DISK };

static int ask_piece(Peer *p, PodFileKind kind, const char *name, uint64_t offset, const char *text,
                     bool last)
{
    AgentFile piece = {
        .kind = kind,
        .name = TEXT(name),
        .offset = offset,
        .last = last,
        .data = { .data = (uint8_t *)TEXT(text), .size = strlen(text) },
    };

    return peer_ask(p, AGENT_FILE, &piece);
}

static int ask_file(Peer *p, PodFileKind kind, const char *name, const char *text)
{
    return ask_piece(p, kind, name, 0, text, true);
}

static Peer *able(void **state)
{
    Peer *p = *state;

    if (!peer_can_run(p))
        skip();
    return p;
}

static mode_t mode_of(const Peer *p, const char *path)
{
    struct stat st;
    _cleanup_(freep) char *whole = strf("%s/%s", p->platform.run, path);

    return stat(whole, &st) < 0 ? 0 : st.st_mode & 07777;
}

/* --- disks ---------------------------------------------------------------------------------------------------------- */

static void a_disk_is_mounted_once_for_all_that_see_it(void **state)
{
    Peer *p = able(state);
    AgentContainer c[] = { container("one", "probe write /data/x"), container("two", "probe write /data/y"),
                           container("none", "probe exit 0") };

    MOUNT(&c[0], .volume = TEXT("data"), .path = TEXT("/data"));
    MOUNT(&c[1], .volume = TEXT("data"), .path = TEXT("/data"), .read_only = true);
    assert_int_equal(configure(p, data, c, ELEMENTSOF(c)), 0);
    peer_until(p, p->powered_off);
    assert_int_equal(p->disk_mounts, 1);
    assert_int_equal(p->disk, 32);
    assert_true(peer_log_has(p, "one stdout /data/x: written"));
    assert_true(peer_log_has(p, "two stdout /data/y: Read-only file system"));
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void a_live_share_is_mounted_once_by_its_tag(void **state)
{
    Peer *p = able(state);
    AgentContainer c[] = { container("one", "probe write /data/x"), container("two", "probe write /data/y") };

    MOUNT(&c[0], .volume = TEXT("data"), .path = TEXT("/data"));
    MOUNT(&c[1], .volume = TEXT("data"), .path = TEXT("/data"), .read_only = true);
    assert_int_equal(configure_share(p, c, ELEMENTSOF(c)), 0);
    peer_until(p, p->powered_off);
    assert_int_equal(p->share_mounts, 1);
    assert_string_equal(p->share, "volume7");
    assert_true(peer_log_has(p, "one stdout /data/x: written"));
    assert_true(peer_log_has(p, "two stdout /data/y: Read-only file system"));
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void a_live_share_without_a_device_is_told_by_its_tag(void **state)
{
    Peer *p = able(state);
    CONTAINER(c, "web", "probe exit 0");

    p->disk_error = -EINVAL;
    MOUNT(&c, .volume = TEXT("data"), .path = TEXT("/data"));
    assert_int_equal(configure_share(p, &c, 1), 0);
    peer_until(p, peer_state_is(p, "web", CONTAINER_FAILED));
    assert_string_equal(peer_container(p, "web")->message,
                        "the share of volume data is not there: no device has the tag volume7");
}

static void a_container_waits_for_the_disk_of_its_volume(void **state)
{
    Peer *p = able(state);
    CONTAINER(c, "web", "probe write /data/x");

    p->disk_error = -ENODEV;
    MOUNT(&c, .volume = TEXT("data"), .path = TEXT("/data"));
    assert_int_equal(configure(p, data, &c, 1), 0);
    peer_until(p, peer_state_is(p, "web", CONTAINER_WAITING));
    agent_disks_changed(p->agent);
    assert_int_equal(p->agent->containers[0].life.phase, LIFE_WAITING);
    p->disk_error = 0;
    agent_disks_changed(p->agent);
    assert_int_equal(ended(p, "web")->exit_code, 0);
}

static void assert_failure(Peer *p, int error, bool read_only, const char *why)
{
    _cleanup_(freep) char *message = strf("volume data could not be mounted as ext4: %s", why);
    CONTAINER(c, "web", "probe exit 0");
    VolumeDefinition volume = data;

    volume.read_only = read_only;
    p->disk_error = error;
    MOUNT(&c, .volume = TEXT("data"), .path = TEXT("/data"));
    assert_int_equal(configure(p, volume, &c, 1), 0);
    peer_until(p, peer_state_is(p, "web", CONTAINER_FAILED));
    assert_string_equal(peer_container(p, "web")->message, message);
}

static void another_file_system_is_told_in_words(void **state)
{
    assert_failure(able(state), -EINVAL, false, "there is no such file system on it");
}

static void damage_is_told_in_words(void **state)
{
    assert_failure(able(state), -EUCLEAN, false, "its file system is damaged");
}

static void a_journal_that_cannot_be_replayed_is_told_in_words(void **state)
{
    assert_failure(able(state), -EROFS, true,
                   "it was not left in order, and cannot be repaired, since it is read-only");
}

static void a_disk_that_was_made_is_for_every_user(void **state)
{
    Peer *p = able(state);
    CONTAINER(c, "web", "probe write /data/x");
    VolumeDefinition volume = data;

    volume.make = true;
    MOUNT(&c, .volume = TEXT("data"), .path = TEXT("/data"));
    assert_success(str_replace(&c.user, "1000:1000"));
    assert_int_equal(configure(p, volume, &c, 1), 0);
    peer_until(p, peer_log_has(p, "web stdout /data/x: written"));
}

static void a_disk_can_only_be_read_when_the_power_goes(void **state)
{
    Peer *p = able(state);
    CONTAINER(c, "web", "probe wait");

    MOUNT(&c, .volume = TEXT("data"), .path = TEXT("/data"));
    assert_int_equal(configure(p, data, &c, 1), 0);
    peer_until(p, peer_log_has(p, "web stdout waiting"));
    _cleanup_(freep) char *path = strf("%s/volumes/data", p->platform.run);
    _cleanup_(closep) int disk = dir_open_at(AT_FDCWD, path);
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = 10 * USEC_PER_SEC }), 0);
    peer_until(p, p->powered_off);
    assert_int_equal(openat(disk, "x", O_WRONLY | O_CREAT, 0600), -1);
    assert_int_equal(errno, EROFS);
}

static void a_layer_on_a_scratch_is_seen_by_its_container_alone(void **state)
{
    Peer *p = able(state);
    AgentContainer c[] = { container("one", "probe write /x"), container("two", "probe write /data/y") };
    const VolumeDefinition scratch = { .name = TEXT("data"), .type = VOLUME_SCRATCH };

    c[0].definition.writable_volume = strdup("data");
    MOUNT(&c[1], .volume = TEXT("data"), .path = TEXT("/data"));
    assert_int_equal(configure(p, scratch, c, ELEMENTSOF(c)), 0);
    peer_until(p, p->powered_off);
    assert_int_equal(p->disk_mounts, 1);
    assert_true(peer_log_has(p, "one stdout /x: written"));
    assert_true(peer_log_has(p, "two stdout /data/y: written"));
    assert_int_equal(mode_of(p, "scratch/data/layers/one/upper/x") & 0400, 0400);
    assert_int_equal(mode_of(p, "scratch/data/files/y") & 0400, 0400);
    assert_int_equal(mode_of(p, "volumes/data"), 01777);
    assert_int_equal(mode_of(p, "volumes/data/layers"), 0);
    for (size_t i = 0; i < ELEMENTSOF(c); i++)
        container_done_test(&c[i]);
}

static void swap_space_is_begun_once_for_who_is_to_have_some(void **state)
{
    Peer *p = *state;
    VolumeDefinition swap = { .name = TEXT("swap"), .type = VOLUME_SWAP };
    AgentDisk disk = { .volume = TEXT("swap"), .disk = 32 };
    const AgentConfigure with = { .volumes = &swap, .n_volumes = 1, .disks = &disk, .n_disks = 1 },
                         without = { .n_volumes = 0 };
    const ContainerDefinition none = { 0 }, some = { .limits.swap = 4096 };
    Failure f = { 0 };

    assert_success(volumes_swap(&p->platform, &with, &none, &f));
    assert_int_equal(p->disk, 0);
    assert_int_equal(volumes_swap(&p->platform, &without, &some, &f), -EINVAL);
    assert_string_equal(f.text, "the pod has no swap space");
    p->disk_error = -ENODEV;
    assert_int_equal(volumes_swap(&p->platform, &with, &some, &f), -ENODEV);
    assert_string_equal(f.text, "the disk of volume swap did not appear (SCSI id 32)");
    p->disk_error = -EIO;
    assert_int_equal(volumes_swap(&p->platform, &with, &some, &f), -EIO);
    assert_string_equal(f.text, "swap space could not be made: Input/output error");
    p->disk_error = 0;
    assert_success(volumes_swap(&p->platform, &with, &some, &f));
    p->disk_error = -EIO;
    assert_success(volumes_swap(&p->platform, &with, &some, &f));
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

static void a_secret_is_what_was_sent_where_and_how_it_is_declared(void **state)
{
    Peer *p = able(state);
    CONTAINER(c, "web", "probe write /run/key");

    MOUNT(&c, .secret = TEXT("key"), .path = TEXT("/run/key"));
    MOUNT(&c, .secret = TEXT("key"), .path = TEXT("/deep/er/key"), .mode = TEXT("0440"),
          .owner = TEXT("1000:33"));
    MOUNT(&c, .config = TEXT("key"), .path = TEXT("/etc/passwd"));
    peer_hello(p, 7, p->token, 1, AGENT_PROTOCOL_MAX);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 0, "can", false), 0);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 3, "ary", true), 0);
    assert_int_equal(ask_file(p, POD_FILE_CONFIG, "key", "root:x:0:0::/root:\n"), 0);
    assert_int_equal(configure(p, data, &c, 1), 0);
    peer_until(p, peer_log_has(p, "web stdout /run/key: "));
    assert_true(peer_log_has(p, "web stdout /run/key: Read-only file system"));
    assert_int_equal(mode_of(p, "files/containers/web/0"), 0400);
    assert_int_equal(mode_of(p, "files/containers/web/1"), 0440);
    assert_int_equal(mode_of(p, "files/containers/web/2"), 0444);
    assert_int_equal(mode_of(p, "files/store"), 0700);
}

static void assert_content(const Peer *p, const char *path, const char *wanted)
{
    _cleanup_(freep) char *whole = strf("%s/%s", p->platform.run, path);
    Bytes b = { 0 };

    int r = file_read_at(AT_FDCWD, whole, POD_FILE_CONTENT_MAX, &b);
    if (wanted) {
        assert_success(r);
        assert_success(bytes_terminate(&b));
        assert_string_equal((char *)b.data, wanted);
    } else
        assert_int_equal(r, -ENOENT);
    bytes_done(&b);
}

static void a_new_content_takes_the_place_of_the_old_one_by_rename(void **state)
{
    Peer *p = able(state);
    CONTAINER(c, "web", "probe wait");
    struct stat before, same, after;

    MOUNT(&c, .secret = TEXT("key"), .path = TEXT("/run/key"));
    peer_hello(p, 7, p->token, 1, AGENT_PROTOCOL_MAX);
    assert_int_equal(ask_file(p, POD_FILE_SECRET, "key", "one"), 0);
    assert_int_equal(configure(p, data, &c, 1), 0);
    peer_until(p, peer_log_has(p, "web stdout waiting"));
    _cleanup_(freep) char *path = strf("%s/files/containers/web/0", p->platform.run);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(ask_file(p, POD_FILE_SECRET, "key", "one"), 0);
    assert_int_equal(stat(path, &same), 0);
    assert_int_equal(same.st_ino, before.st_ino);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 0, "t", false), 0);
    assert_content(p, "files/containers/web/0", "one");
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 1, "wo", true), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_not_equal(after.st_ino, before.st_ino);
    assert_content(p, "files/containers/web/0", "two");
}

static void a_file_that_never_came_keeps_its_container_from_starting(void **state)
{
    Peer *p = able(state);
    CONTAINER(c, "web", "probe exit 0");

    MOUNT(&c, .secret = TEXT("key"), .path = TEXT("/run/key"));
    assert_int_equal(configure(p, data, &c, 1), 0);
    peer_until(p, peer_state_is(p, "web", CONTAINER_FAILED));
    assert_string_equal(peer_container(p, "web")->message,
                        "the secret key could not be given to the container: No such file or directory");
}

static void a_directory_of_the_image_is_not_replaced_by_a_file(void **state)
{
    Peer *p = able(state);
    CONTAINER(c, "web", "probe exit 0");

    MOUNT(&c, .config = TEXT("key"), .path = TEXT("/etc"));
    peer_hello(p, 7, p->token, 1, AGENT_PROTOCOL_MAX);
    assert_int_equal(ask_file(p, POD_FILE_CONFIG, "key", "x"), 0);
    assert_int_equal(configure(p, data, &c, 1), 0);
    peer_until(p, peer_state_is(p, "web", CONTAINER_FAILED));
    assert_string_equal(peer_container(p, "web")->message,
                        "the config key could not be put at /etc: Is a directory");
}

static void pieces_out_of_order_are_refused_and_change_nothing(void **state)
{
    Peer *p = able(state);

    peer_hello(p, 7, p->token, 1, AGENT_PROTOCOL_MAX);
    assert_int_equal(ask_file(p, POD_FILE_SECRET, "key", "good"), 0);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 1, "x", true), EINVAL);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 0, "ab", false), 0);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 1, "x", true), EINVAL);
    /* What came before was dropped with it. */
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 2, "x", true), EINVAL);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 0, "ab", false), 0);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "other", 2, "x", true), EINVAL);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", 0, "ab", false), 0);
    assert_int_equal(ask_piece(p, POD_FILE_CONFIG, "key", 2, "x", true), EINVAL);
    assert_content(p, "files/store/secret.key", "good");
}

static void a_file_beyond_the_limit_is_refused(void **state)
{
    static char text[AGENT_FILE_PIECE_MAX + 1];
    Peer *p = able(state);

    memset(text, 'x', AGENT_FILE_PIECE_MAX);
    peer_hello(p, 7, p->token, 1, AGENT_PROTOCOL_MAX);
    for (uint64_t at = 0; at < POD_FILE_CONTENT_MAX; at += AGENT_FILE_PIECE_MAX)
        assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", at, text, false), 0);
    assert_int_equal(ask_piece(p, POD_FILE_SECRET, "key", POD_FILE_CONTENT_MAX, "x", true), EFBIG);
    assert_content(p, "files/store/secret.key", NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(a_disk_is_mounted_once_for_all_that_see_it),
        WITH_PEER(a_live_share_is_mounted_once_by_its_tag),
        WITH_PEER(a_live_share_without_a_device_is_told_by_its_tag),
        WITH_PEER(a_container_waits_for_the_disk_of_its_volume),
        WITH_PEER(another_file_system_is_told_in_words),
        WITH_PEER(damage_is_told_in_words),
        WITH_PEER(a_journal_that_cannot_be_replayed_is_told_in_words),
        WITH_PEER(a_disk_that_was_made_is_for_every_user),
        WITH_PEER(a_disk_can_only_be_read_when_the_power_goes),
        WITH_PEER(swap_space_is_begun_once_for_who_is_to_have_some),
        WITH_PEER(a_layer_on_a_scratch_is_seen_by_its_container_alone),
        WITH_PEER(a_secret_is_what_was_sent_where_and_how_it_is_declared),
        WITH_PEER(a_new_content_takes_the_place_of_the_old_one_by_rename),
        WITH_PEER(a_file_that_never_came_keeps_its_container_from_starting),
        WITH_PEER(a_directory_of_the_image_is_not_replaced_by_a_file),
        WITH_PEER(pieces_out_of_order_are_refused_and_change_nothing),
        WITH_PEER(a_file_beyond_the_limit_is_refused),
    };
    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
