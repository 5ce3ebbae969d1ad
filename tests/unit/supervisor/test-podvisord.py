#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""podvisord as a whole, with null machines."""
import os, pathlib, signal, socket, subprocess, sys, time, unittest

sys.path.insert(0, os.path.dirname(__file__))
from instance import PROGRAMS, Instance, alive, leftovers, until


class PodvisordTest(unittest.TestCase):
    def setUp(self):
        self.i = Instance()
        self.addCleanup(self.clean_up)

    def clean_up(self):
        if sys.exc_info()[0] or (self._outcome and not self._outcome.success):
            self.i.log.flush()
            text = (self.i.root / "log").read_text(errors="replace")
            print(f"--- {self.id()}\n{text[-6000:]}", file=sys.stderr)
        self.i.close()

    def record(self, name):
        return self.i.run / "pods" / name / "supervisor.msgpack"


class Running(PodvisordTest):
    def test_fifty_pods_start_and_list_answers_meanwhile(self):
        names = [f"pod-{n}" for n in range(50)]
        for name in names:
            self.i.define(name, 'null = { start_delay = "50ms"; };')
        self.i.start()
        seen = set()

        def look():
            begin = time.monotonic()
            states = [pod["state"] for pod in self.i.pods().values()]
            self.assertLess(time.monotonic() - begin, 5)
            self.assertLessEqual(states.count("starting"), os.cpu_count())
            seen.update(states)
            return len(states) == 50 and all(s == "ready" for s in states)
        until("all are ready", look)
        self.assertIn("queued", seen)
        resident = int(pathlib.Path(f"/proc/{self.i.daemon.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        if not os.environ.get("ASAN_OPTIONS"):
            self.assertLess(resident, 8 << 20)

    def test_a_new_file_is_started_and_its_removal_ends_it_within_a_second(self):
        self.i.start()
        self.i.define("web")
        pod = self.i.await_state("web", "ready")
        self.i.undefine("web")
        until("its machine is gone", lambda: not alive(pod["vmm_pid"]), 1)
        self.i.await_gone("web")
        until("nothing is left", lambda: not self.i.all_processes())

    def test_a_change_replaces_the_machine_and_a_word_for_people_does_not(self):
        self.i.define("web")
        self.i.start()
        before = self.i.await_state("web", "ready")
        self.i.define("web", 'description = "Front page";')
        pod = until("the description is there", lambda: (p := self.i.pod("web"))["description"] == "Front page" and p)
        self.assertEqual((pod["generation"], pod["vmm_pid"], pod["state"]), (2, before["vmm_pid"], "ready"))
        self.i.define("web", "cpus = 2;")
        pod = until("another machine", lambda: (p := self.i.await_state("web", "ready"))["attempt"] == 2 and p)
        self.assertEqual((pod["generation"], pod["restarts"], pod["pending"]), (3, 0, []))
        self.assertEqual((pod["end_cause"], pod["reason"], pod["overdue"]), ("its definition changed", "stopped", False))
        self.assertFalse(alive(before["vmm_pid"]))
        page = self.i.do("status", "web")
        self.assertIn("Last end: its definition changed; it stopped as asked (stopped", page)

    def test_other_limits_of_containers_replace_nothing_whoever_is_killed_meanwhile(self):
        def limits(generation, memory):
            self.i.define("web", more=f'limits = {{ memory = "{memory}"; }};')
            return lambda: (p := self.i.pod("web"))["generation"] == generation and p["state"] == "ready" and not p["pending"] and p
        settled = limits(1, "64M")
        self.i.start()
        before = until("it is ready", settled)
        until("other limits", limits(2, "65M"))
        settled = limits(3, "66M")
        os.kill(before["runner_pid"], signal.SIGKILL)
        until("the next runner knows", settled)
        settled = limits(4, "67M")
        self.i.end(signal.SIGKILL)
        self.i.start()
        pod = until("the next podvisord knows", settled)
        self.assertEqual((pod["attempt"], pod["vmm_pid"], pod["restarts"]), (1, before["vmm_pid"], 0))
        # A start takes them as any other.
        self.i.do("restart", "web")
        pod = until("another machine", lambda: (p := self.i.await_state("web", "ready"))["attempt"] == 2 and p)
        self.assertEqual(pod["pending"], [])

    def test_what_waits_for_a_stop_is_told_as_pending(self):
        self.i.define("web", 'stop_timeout = "60s"; null = { ignore_stop = true; };')
        self.i.start()
        self.i.await_state("web", "ready")
        self.i.define("web", 'cpus = 2; stop_timeout = "60s"; null = { ignore_stop = true; };')
        pod = self.i.await_state("web", "stopping")
        self.assertEqual(pod["pending"], ["cpus 1 -> 2"])

    def test_a_wrong_file_never_stops_a_pod(self):
        self.i.define("web")
        self.i.start()
        before = self.i.await_state("web", "ready")
        (self.i.definitions / "web.pod").write_text("cpus = ;\n")
        pod = until("the error is told", lambda: (p := self.i.pod("web"))["errors"] and p)
        self.assertIn("web.pod:1: ", pod["errors"][0])
        self.assertEqual((pod["vmm_pid"], pod["state"], pod["generation"]), (before["vmm_pid"], "ready", 1))
        # podvisord has only the frozen definition then
        self.i.end()
        self.i.start()
        pod = self.i.await_state("web", "ready")
        self.assertEqual((pod["vmm_pid"], len(pod["errors"])), (before["vmm_pid"], 1))

    def test_a_file_gone_and_back_at_once_is_handled(self):
        self.i.define("web", 'null = { };')
        self.i.start()
        self.i.await_state("web", "ready")
        for _ in range(20):
            self.i.undefine("web")
            self.i.define("web")
        self.i.await_state("web", "ready")
        self.i.await_all(["web"])

    def test_a_directory_made_again_is_watched_again(self):
        self.i.define("old")
        self.i.start()
        old = self.i.await_state("old", "ready")
        self.i.definitions.rename(self.i.root / "elsewhere")
        until("the error is told", lambda: self.i.pod("old")["errors"])
        self.assertEqual(self.i.pod("old")["vmm_pid"], old["vmm_pid"])
        self.i.definitions.mkdir()
        self.i.define("new")
        self.i.await_state("new", "ready")
        self.i.await_gone("old")

    def test_a_burst_that_overruns_the_queue_of_events_is_read_whole(self):
        self.i.start()
        os.kill(self.i.daemon.pid, signal.SIGSTOP)
        limit = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        for n in range(limit // 2 + 1000):
            (self.i.definitions / f"x{n}").touch()
            (self.i.definitions / f"x{n}").unlink()
        self.i.define("web")
        os.kill(self.i.daemon.pid, signal.SIGCONT)
        self.i.await_state("web", "ready")

    def test_the_first_line_of_the_log_says_what_podvisord_works_on(self):
        def first():
            self.i.log.flush()
            return [line for line in (self.i.root / "log").read_text().splitlines() if "podvisord: podvisord " in line or "no directory" in line]
        self.i.definitions.rmdir()
        self.i.start()
        line, missing = first()
        self.assertRegex(line, rf"^podvisord: podvisord [0-9.]+: 0 declared in {self.i.definitions}; 0 that may run adopted from "
                               rf"{self.i.run}; images and logs in {self.i.root}/state$")
        self.assertEqual(missing, f"podvisord: There is no directory of definitions: pods are declared once there is {self.i.definitions}")
        self.i.definitions.mkdir()
        self.i.define("web")
        self.i.await_state("web", "ready")
        self.i.end()
        self.i.start()
        self.assertIn(": 1 declared in ", first()[2])
        self.assertIn("; 1 that may run adopted from ", first()[2])
        self.assertEqual(len(first()), 3)

    def test_reload_names_files_that_are_no_pods(self):
        self.i.start()
        (self.i.definitions / "Web_1.pod").touch()
        result = self.i.call("reload")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("Web_1.pod", result.stderr)

    def test_no_processor_time_and_no_wake_up_when_idle(self):
        for n in range(10):
            self.i.define(f"pod-{n}")
        self.i.start()
        self.i.await_all([f"pod-{n}" for n in range(10)])
        status = pathlib.Path(f"/proc/{self.i.daemon.pid}/status")

        def switches():
            return [line for line in status.read_text().splitlines() if "ctxt" in line]
        # Whatever the start had left to do is done when nothing happens for a while.
        def quiet():
            before = switches()
            time.sleep(0.5)
            return switches() == before
        until("it is quiet", quiet)
        before = switches()
        time.sleep(3)
        self.assertEqual(switches(), before)


class Verbs(PodvisordTest):
    def test_stop_holds_over_a_restart_of_podvisord_and_start_lifts_it(self):
        self.i.define("web")
        self.i.start()
        self.i.await_state("web", "ready")
        self.i.do("stop", "web")
        self.assertTrue(self.i.await_state("web", "inactive")["hold"])
        self.i.end()
        self.i.start()
        self.assertTrue(self.i.await_state("web", "inactive")["hold"])
        self.i.do("start", "web")
        self.assertFalse(self.i.await_state("web", "ready")["hold"])

    def test_no_autostart_waits_for_an_operator(self):
        self.i.define("web", "autostart = false;")
        self.i.start()
        self.i.await_state("web", "inactive")
        self.i.do("start", "web")
        self.i.await_state("web", "ready")
        self.i.end()
        self.i.start()
        self.i.await_state("web", "ready")

    def test_kill_ends_what_ignores_a_stop(self):
        self.i.define("web", 'stop_timeout = "1h"; null = { ignore_stop = true; };')
        self.i.start()
        pod = self.i.await_state("web", "ready")
        self.i.do("kill", "web")
        self.assertFalse(alive(pod["vmm_pid"]))
        pod = self.i.await_state("web", "inactive")
        self.assertEqual((pod["end_cause"], pod["reason"], pod["overdue"]), ("an operator killed it", "killed", False))

    def test_a_restart_says_who_asked_for_it(self):
        self.i.define("web")
        self.i.start()
        self.i.await_state("web", "ready")
        self.i.do("restart", "web")
        self.assertEqual(self.i.await_state("web", "ready")["end_cause"], "an operator restarted it")
        # An end that nobody asked for is no restart
        os.kill(self.i.pod("web")["vmm_pid"], signal.SIGKILL)
        until("its end is told", lambda: self.i.pod("web")["reason"] == "vmm-signal")
        self.assertEqual(self.i.pod("web")["end_cause"], None)

    def test_a_stop_that_is_ignored_ends_by_its_deadline(self):
        self.i.define("web", 'stop_timeout = "300ms"; null = { ignore_stop = true; };')
        self.i.start()
        self.i.await_state("web", "ready")
        self.i.do("stop", "web")
        pod = self.i.await_state("web", "inactive")
        self.assertEqual((pod["end_cause"], pod["reason"], pod["overdue"]), ("an operator stopped it", "killed", True))

    def test_pause_and_resume(self):
        self.i.define("web")
        self.i.start()
        self.i.await_state("web", "ready")
        self.i.do("pause", "web")
        self.i.await_state("web", "paused")
        self.i.do("resume", "web")
        self.i.await_state("web", "ready")

    def test_what_is_not_there_is_said_so(self):
        self.i.define("bad", "nonsense = 1;")
        self.i.start()
        for arguments, words in [(["start", "web"], "no such pod"), (["start", "bad"], "never been right"),
                                 (["adopt", "bad"], "indeterminate"), (["pause", "bad"], "running")]:
            result = self.i.call(*arguments)
            self.assertNotEqual(result.returncode, 0, arguments)
            self.assertIn(words, result.stderr, arguments)


class Restarts(PodvisordTest):
    def test_a_failing_start_backs_off_ever_longer_and_its_count_outlives_podvisord(self):
        self.i.define("web", 'restart = { delay = "200ms"; max_delay = "1h"; }; null = { fail_start = true; };')
        self.i.start()
        until("it failed three times", lambda: self.i.pod("web")["restarts"] >= 3)
        pod = self.i.await_state("web", "backoff")
        self.assertEqual(pod["reason"], "start-failed")
        self.assertGreater(pod["next_start"], 0)
        self.i.end()
        self.i.start()
        self.assertGreaterEqual(self.i.pod("web")["restarts"], pod["restarts"])

    def test_policies(self):
        end = 'null = { run_time = "100ms"; exit_code = %d; };'
        self.i.define("done", 'restart = { policy = "on-failure"; };' + end % 0)
        self.i.define("failed", 'restart = { policy = "never"; };' + end % 3)
        self.i.define("once", 'restart = { policy = "never"; };' + end % 0)
        self.i.define("again", 'restart = { policy = "always"; delay = "10ms"; max_delay = "10ms"; };' + end % 0)
        self.i.start()
        self.i.await_state("done", "succeeded")
        self.i.await_state("once", "succeeded")
        self.assertEqual(self.i.await_state("failed", "failed")["containers"][0]["exit_code"], 3)
        until("it is started again", lambda: self.i.pod("again")["restarts"] >= 2)

    def test_a_machine_that_dies_is_started_again_and_the_cause_is_exact(self):
        self.i.define("web", 'restart = { delay = "10ms"; };')
        self.i.start()
        pod = self.i.await_state("web", "ready")
        os.kill(pod["vmm_pid"], signal.SIGKILL)
        pod = until("it is back", lambda: (p := self.i.await_state("web", "ready"))["attempt"] == 2 and p)
        self.assertEqual((pod["reason"], pod["exit_signal"], pod["restarts"]), ("vmm-signal", 9, 1))


class Recovery(PodvisordTest):
    def start_five(self):
        names = [f"pod-{n}" for n in range(5)]
        for name in names:
            self.i.define(name)
        self.i.start()
        return {name: pod["vmm_pid"] for name, pod in self.i.await_all(names).items()}

    def test_a_killed_podvisord_finds_its_machines_again(self):
        machines = self.start_five()
        since = {n: p["since"] for n, p in self.i.pods().items()}
        for _ in range(5):
            self.i.end()
            self.i.start()
            pods = self.i.await_all(machines)
            self.assertEqual({n: p["vmm_pid"] for n, p in pods.items()}, machines)
            self.assertEqual({n: p["since"] for n, p in pods.items()}, since)

    def test_the_end_of_podvisord_leaves_the_pods_alone(self):
        machines = self.start_five()
        self.assertEqual(self.i.end(signal.SIGTERM), 0)
        self.assertTrue(all(alive(pid) for pid in machines.values()))

    def test_a_killed_runner_is_followed_by_another_one(self):
        machines = self.start_five()
        for _ in range(3):
            for pod in self.i.pods().values():
                os.kill(pod["runner_pid"], signal.SIGKILL)
                until("another runner", lambda: (p := self.i.pod(pod["name"]))["state"] == "ready"
                      and p["runner_pid"] not in (0, pod["runner_pid"]))
        self.assertEqual({n: p["vmm_pid"] for n, p in self.i.pods().items()}, machines)

    def test_podvisord_and_runner_killed_together(self):
        machines = self.start_five()
        runners = [pod["runner_pid"] for pod in self.i.pods().values()]
        self.i.end()
        for pid in runners:
            os.kill(pid, signal.SIGKILL)
        self.i.start()
        pods = self.i.await_all(machines)
        self.assertEqual({n: p["vmm_pid"] for n, p in pods.items()}, machines)

    def test_what_changed_meanwhile_is_made_true(self):
        machines = self.start_five()
        self.i.end()
        self.i.undefine("pod-0")
        self.i.define("pod-1", "cpus = 2;")
        self.i.define("pod-5")
        self.i.start()
        self.i.await_gone("pod-0")
        until("the changed one is new", lambda: (p := self.i.await_state("pod-1", "ready"))["attempt"] == 2)
        self.i.await_state("pod-5", "ready")
        self.assertEqual(self.i.pod("pod-2")["vmm_pid"], machines["pod-2"])

    def test_a_second_podvisord_is_refused(self):
        self.i.start()
        second = subprocess.run([PROGRAMS / "podvisord", "--root", self.i.root], capture_output=True, text=True, timeout=60)
        self.assertEqual(second.returncode, 1)
        self.assertIn("Another podvisord", second.stderr)
        self.i.do("list")

    def damage(self, change):
        """What a damaged record leads to: indeterminate, the machine untouched; and the way out."""
        self.i.define("web")
        self.i.start()
        before = self.i.await_state("web", "ready")
        self.i.end()
        change(self.record("web"))
        self.i.start()
        pod = self.i.await_state("web", "indeterminate")
        self.assertTrue(alive(before["vmm_pid"]))
        self.assertTrue(pod["message"])
        for verb in ("start", "stop", "kill", "restart"):
            self.assertNotEqual(self.i.call(verb, "web").returncode, 0)
        forget = self.i.call("forget", "web")
        self.assertIn("something runs", forget.stderr)
        self.i.undefine("web")
        self.i.define("web")
        self.i.do("adopt", "web")
        self.assertEqual(self.i.await_state("web", "ready")["vmm_pid"], before["vmm_pid"])

    def test_a_truncated_record_is_a_doubt(self):
        self.damage(lambda f: os.truncate(f, f.stat().st_size // 2))

    def test_an_empty_record_is_a_doubt(self):
        self.damage(lambda f: os.truncate(f, 0))

    def test_a_corrupt_record_is_a_doubt(self):
        self.damage(lambda f: f.write_bytes(bytes(b ^ 1 if n == 200 else b for n, b in enumerate(f.read_bytes()))))

    def test_a_newer_record_is_a_doubt(self):
        self.damage(lambda f: f.write_bytes(f.read_bytes().replace(b"\xa7version\x01", b"\xa7version\x63")))

    def test_a_missing_record_is_a_doubt(self):
        self.damage(lambda f: f.unlink())

    def test_a_run_path_that_cannot_be_read_is_a_doubt(self):
        self.i.define("web")
        self.i.start()
        pod = self.i.await_state("web", "ready")
        self.i.end()
        path, aside = self.i.run / "pods/web", self.i.run / "aside"
        path.rename(aside)
        path.write_bytes(b"")
        self.i.start()
        doubtful = self.i.await_state("web", "indeterminate")
        self.assertIn("its run path cannot be read: Not a directory", self.i.do("status", "web"))
        self.assertTrue(alive(pod["vmm_pid"]))
        self.assertEqual(doubtful["attempt"], 0)
        self.i.end()
        path.unlink()
        aside.rename(path)
        self.i.start()
        self.assertEqual(self.i.await_state("web", "ready")["vmm_pid"], pod["vmm_pid"])

    def test_forget_does_not_drop_what_runs_without_a_runner(self):
        self.i.define("web")
        self.i.start()
        pod = self.i.await_state("web", "ready")
        self.i.end()
        os.kill(pod["runner_pid"], signal.SIGKILL)
        until("it is dead", lambda: not alive(pod["runner_pid"]))
        self.record("web").write_bytes(b"")
        self.i.start()
        self.i.await_state("web", "indeterminate")
        self.assertIn("lock", self.i.call("forget", "web").stderr)
        self.i.do("adopt", "web")
        self.assertEqual(self.i.await_state("web", "ready")["vmm_pid"], pod["vmm_pid"])

    def test_forget_drops_what_does_not_run(self):
        self.i.define("web")
        self.i.start()
        pod = self.i.await_state("web", "ready")
        self.i.end()
        for pid in (pod["runner_pid"], pod["vmm_pid"]):
            os.kill(pid, signal.SIGKILL)
            until("it is dead", lambda: not alive(pid))
        self.record("web").write_bytes(b"")
        self.i.start()
        self.i.await_state("web", "indeterminate")
        self.i.do("forget", "web")
        self.assertNotEqual(self.i.await_state("web", "ready")["vmm_pid"], pod["vmm_pid"])

    def test_a_stuck_runner_holds_up_nobody(self):
        machines = self.start_five()
        stuck = self.i.pod("pod-0")["runner_pid"]
        os.kill(stuck, signal.SIGSTOP)
        self.i.do("restart", "pod-1")
        until("another machine", lambda: (p := self.i.await_state("pod-1", "ready"))["attempt"] == 2)
        self.i.undefine("pod-0")
        self.i.await_gone("pod-0")
        self.assertFalse(alive(machines["pod-0"]))
        self.assertFalse(alive(stuck))


class Limits(PodvisordTest):
    def test_without_descriptors_no_more_pods_start_and_those_that_run_are_served(self):
        names = [f"pod-{n:02}" for n in range(40)]
        for name in names:
            self.i.define(name, 'restart = { delay = "1s"; max_delay = "1s"; };')
        self.i.start(["prlimit", "--nofile=80:80"])

        def look():
            states = [pod["state"] for pod in self.i.pods().values()]
            return states.count("ready") >= 10 and states.count("backoff") > 0 and \
                not {"queued", "starting", "inactive"} & set(states)
        until("some run, the others wait", look)
        waiting = next(p for p in self.i.pods().values() if p["state"] == "backoff")
        self.assertIn("file descriptors", waiting["message"])
        # Those that run are looked after as ever, and room that becomes free is used.
        running = [p["name"] for p in self.i.pods().values() if p["state"] == "ready"]
        os.kill(self.i.pod(running[0])["runner_pid"], signal.SIGKILL)
        for name in running[1:5]:
            self.i.undefine(name)
        self.i.await_state(running[0], "ready")
        until("another one starts", lambda: [p["state"] for p in self.i.pods().values()].count("ready") > len(running) - 5)

    def test_an_image_that_is_not_there_is_named(self):
        (self.i.definitions / "web.pod").write_text('containers = ( { name = "a"; image = "nowhere"; } );')
        self.i.start()
        pod = self.i.await_state("web", "waiting")
        self.assertEqual((pod["missing_image"], pod["restarts"], pod["attempt"]), ("nowhere", 0, 0))
        self.assertIn("nowhere", pod["phase"])

    def test_strangers_on_the_sockets_harm_nobody(self):
        self.i.define("web")
        self.i.start()
        self.i.await_state("web", "ready")
        for kind, name in [(socket.SOCK_SEQPACKET, "runners"), (socket.SOCK_STREAM, "bus")] * 100:
            s = socket.socket(socket.AF_UNIX, kind)
            self.addCleanup(s.close)
            s.connect(str(self.i.run / name))
            try:
                s.send(os.urandom(100))
            except BrokenPipeError:  # refused: there are too many
                pass
        before = self.i.pod("web")
        os.kill(before["runner_pid"], signal.SIGKILL)
        until("another runner", lambda: (p := self.i.pod("web"))["state"] == "ready"
              and p["runner_pid"] not in (0, before["runner_pid"]))
        self.assertEqual(self.i.pod("web")["vmm_pid"], before["vmm_pid"])


@unittest.skipUnless(os.geteuid() == 0, "needs to mount")
class DiskFull(PodvisordTest):
    def test_a_full_disk_degrades_and_is_got_over(self):
        self.i.run.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "none", self.i.run], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", "-l", self.i.run], check=False))
        # Before that: what runs there would not be found any more.
        self.addCleanup(leftovers.kill_below, self.i.root)
        self.i.define("web")
        self.i.start()
        before = self.i.await_state("web", "ready")
        filler = self.i.run / "filler"
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
        self.i.define("web", 'description = "a change to remember";')
        until("it is told", lambda: "No space left" in (self.i.pod("web")["unsaved"] or ""))
        self.assertEqual(self.i.pod("web")["state"], "ready")
        self.i.define("other", 'restart = { delay = "100ms"; max_delay = "100ms"; };')
        self.assertIn("No space left", self.i.await_state("other", "backoff")["message"])
        filler.unlink()
        self.i.await_state("other", "ready")
        until("it is remembered now", lambda: not self.i.pod("web")["unsaved"])
        self.i.end()
        self.i.start()
        pod = self.i.await_state("web", "ready")
        self.assertEqual((pod["generation"], pod["vmm_pid"]), (2, before["vmm_pid"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
