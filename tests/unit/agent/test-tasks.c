/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent does itself on a stream: copies and questions. */
#include <signal.h>
#include <sys/stat.h>

#include "archive/tar-writer.h"
#include "schemas/statistics.h"
#include "tests/unit/agent/fixture.h"

enum { STREAM = 5 };

static int ask(Peer *p, Task task, const char *path, size_t size)
{
    char web[] = "web";
    AgentExec e = { .stream = STREAM,
                    .request = { .container = web,
                                 .task = task,
                                 .path = { .data = (uint8_t *)(uintptr_t)path, .size = size } } };

    for (size_t i = 0; i < STREAM_CHANNEL_MAX; i++)
        p->streams[i].size = 0;
    p->exits = 0;
    return peer_ask(p, AGENT_EXEC, &e);
}

static int copy(Peer *p, Task task, const char *path)
{
    return ask(p, task, path, strlen(path));
}

static void input(Peer *p, const Bytes *b)
{
    AgentData d = { .stream = STREAM, .channel = STREAM_STDIN, .data = *b };
    peer_send(p, AGENT_DATA, &d);
}

/* One file "name" with the content "text". */
static void make_archive(Bytes *ret)
{
    TarEntry e = { .type = TAR_FILE,
                   .name = (char[]){ "name" },
                   .mode = 0640,
                   .uid = 7,
                   .gid = 8,
                   .seconds = 99,
                   .size = 4 };

    assert_success(tar_write_head(ret, &e));
    assert_success(bytes_append(ret, "text", 4));
    uint8_t *at = bytes_reserve(ret, TAR_BLOCK);
    memset(at, 0, TAR_BLOCK);
    ret->size += (size_t)tar_padding(4);
    assert_success(tar_write_end(ret));
}

static void put(Peer *p, const char *path)
{
    Bytes archive = { 0 };

    make_archive(&archive);
    assert_int_equal(copy(p, TASK_COPY_IN, path), 0);
    input(p, &archive);
    input(p, &(Bytes){ 0 });
    peer_until(p, p->exits == 1);
    bytes_done(&archive);
}

static const char *said(Peer *p)
{
    assert_success(bytes_terminate(&p->streams[STREAM_STDERR]));
    return (const char *)p->streams[STREAM_STDERR].data;
}

static Peer *start_web(void **state, bool read_only)
{
    CONTAINER(c, "web", "probe wait");
    c.definition.read_only = read_only;
    Peer *p = start(state, &c, 1);

    peer_until(p, peer_log_has(p, "waiting"));
    return p;
}

static void what_was_copied_in_comes_out(void **state)
{
    Peer *p = start_web(state, false);

    put(p, "/bin");
    assert_int_equal(p->exit.code, 0);
    assert_int_equal(copy(p, TASK_COPY_OUT, "/bin/name"), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, 0);
    Bytes archive = { 0 };
    make_archive(&archive);
    assert_int_equal(p->streams[STREAM_STDOUT].size, archive.size);
    assert_memory_equal(p->streams[STREAM_STDOUT].data, archive.data, archive.size);
    bytes_done(&archive);
}

static void what_goes_wrong_is_said(void **state)
{
    Peer *p = start_web(state, true);

    assert_int_equal(copy(p, TASK_COPY_OUT, "/nothing"), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, 1);
    assert_string_equal(said(p), "/nothing: No such file or directory");
    put(p, "/bin");
    assert_int_equal(p->exit.code, 1);
    assert_string_equal(said(p), "name: Read-only file system");
    put(p, "/dev/shm");
    assert_int_equal(p->exit.code, 0);
    assert_int_equal(ask(p, TASK_COPY_OUT, "/a\0b", 4), EINVAL);
    assert_int_equal(ask(p, TASK_COPY_OUT, "", 0), ENOENT);
}

/* Its own descriptors, its program and its root are not in the container's /proc at all. */
static void the_agent_is_not_found_by_a_path(void **state)
{
    static const char *const paths[] = { "/proc/self/exe",   "/proc/self/fd/0", "/proc/self/root/etc",
                                         "/proc/1/root/etc", "/proc/1/cwd/etc", "/dev/fd/0" };
    Peer *p = start_web(state, false);

    TABLE_FOREACH (path, paths) {
        assert_int_equal(copy(p, TASK_COPY_OUT, *path), 0);
        peer_until(p, p->exits == 1);
        if (p->exit.code != 1)
            fail_msg("%s was copied", *path);
    }
}

static void a_copy_ends_with_its_container(void **state)
{
    Peer *p = start_web(state, false);

    assert_int_equal(copy(p, TASK_COPY_IN, "/bin"), 0);
    char web[] = "web", probe[] = "probe", wait[] = "wait", *command[] = { probe, wait, NULL };
    AgentExec other = { .stream = STREAM + 1, .request = { .container = web, .command = command } };
    assert_int_equal(peer_ask(p, AGENT_EXEC, &other), 0);
    assert_int_equal(peer_ask(p, AGENT_STOP, &(AgentStop){ .timeout = 5 * USEC_PER_SEC }), 0);
    peer_until(p, p->exits == 2);
    assert_string_equal(p->exit_messages, "the container has ended");
    peer_until(p, p->powered_off);
}

static void a_container_that_does_not_run_is_not_copied_to(void **state)
{
    CONTAINER(c, "web", "probe exit 3");
    Peer *p = start(state, &c, 1);

    (void)ended(p, "web");
    assert_int_equal(copy(p, TASK_COPY_IN, "/bin"), ESRCH);
    assert_string_equal(p->reply, "container web does not run: it ended for good");
    assert_int_equal(ask(p, TASK_PROCESSES, NULL, 0), ESRCH);
}

static void a_hang_up_ends_a_copy(void **state)
{
    Peer *p = start_web(state, false);

    assert_int_equal(copy(p, TASK_COPY_IN, "/bin"), 0);
    assert_int_equal(peer_ask(p, AGENT_HANGUP, &(AgentStream){ STREAM }), 0);
    peer_until(p, p->exits == 1);
    /* Its input ends with it, which the copy may see first. */
    assert_true(p->exit.signal == SIGHUP || p->exit.code != 0);
}

static void processes_have_the_numbers_of_the_inside(void **state)
{
    Peer *p = start_web(state, false);
    ProcessList list;

    assert_int_equal(ask(p, TASK_PROCESSES, NULL, 0), 0);
    peer_until(p, p->exits == 1);
    assert_int_equal(p->exit.code, 0);
    const Bytes *b = &p->streams[STREAM_STDOUT];
    assert_success(
        schema_from_bytes(&process_list_schema, &list, b->data, b->size, &statistics_limits, NULL));
    assert_int_equal(list.n_processes, 1);
    assert_int_equal(list.processes[0].pid, 1);
    assert_int_equal(list.processes[0].parent, 0);
    assert_string_equal(list.processes[0].command, "probe wait");
    assert_string_equal(list.processes[0].user, "root");
    schema_done(&process_list_schema, &list);
}

static void statistics_are_of_all_containers(void **state)
{
    CONTAINER(a, "one", "probe wait");
    CONTAINER(b, "two", "probe exit 0");
    AgentContainer both[] = { a, b };
    Peer *p = start(state, both, 2);
    Statistics s;

    (void)ended(p, "two");
    peer_until(p, peer_log_has(p, "waiting"));
    assert_int_equal(ask(p, TASK_STATISTICS, NULL, 0), 0);
    peer_until(p, p->exits == 1);
    const Bytes *answer = &p->streams[STREAM_STDOUT];
    assert_success(
        schema_from_bytes(&statistics_schema, &s, answer->data, answer->size, &statistics_limits, NULL));
    assert_int_equal(s.n_containers, 2);
    assert_string_equal(s.containers[0].name, "one");
    assert_true(s.containers[0].runs && s.containers[0].running_for > 0 && !s.containers[1].runs);
    /* Of its own control group. */
    assert_true(s.containers[0].cpu_time > 0 && s.containers[1].cpu_time > 0);
    assert_true(s.uptime > 0 && s.memory_total > s.memory_available && s.processors > 0 &&
                s.agent_memory > 0);
    for (size_t i = 0; i < s.n_interfaces; i++)
        assert_string_not_equal(s.interfaces[i].name, "lo");
    schema_done(&statistics_schema, &s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_PEER(what_was_copied_in_comes_out),
        WITH_PEER(what_goes_wrong_is_said),
        WITH_PEER(the_agent_is_not_found_by_a_path),
        WITH_PEER(a_copy_ends_with_its_container),
        WITH_PEER(a_container_that_does_not_run_is_not_copied_to),
        WITH_PEER(a_hang_up_ends_a_copy),
        WITH_PEER(processes_have_the_numbers_of_the_inside),
        WITH_PEER(statistics_are_of_all_containers),
    };
    fixture_probe = argv[1];
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
