#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as people use it, against a real podvisord whose machines are those of the null backend."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../.."))
import leftovers

BIN = pathlib.Path(os.path.abspath(sys.argv[1])).parent
PATIENCE = 60
POD = 'backend = "null"; containers = ( { name = "a"; image = "small"; command = [ "/a" ]; } );\n'


class Null(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="pv-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.pods = self.root / "pods.d"
        self.pods.mkdir()
        self.daemon = None

    def start(self, *pods):
        tree = self.root / "tree"
        tree.mkdir()
        (tree / "a").write_text("#!/bin/sh\n")
        self.assertEqual(self.run_cli("image", "import", "small", tree).returncode, 0)
        self.start_daemon()
        leftovers.end_with_the_test(self.clean_up)
        self.addCleanup(self.end)
        self.await_daemon()
        for name in pods:
            self.declare(name)
            self.ok("wait", name, "--timeout=30s")

    def start_daemon(self):
        with open(self.root / "out", "ab") as out:
            self.daemon = subprocess.Popen([BIN / "podvisord", "--root", self.root], stdin=subprocess.DEVNULL, stdout=out,
                                           stderr=subprocess.STDOUT)

    def await_daemon(self):
        deadline = time.monotonic() + PATIENCE
        while self.run_cli("list").returncode != 0:
            self.assertLess(time.monotonic(), deadline)

    def kill_daemon(self):
        self.daemon.kill()
        self.daemon.wait(PATIENCE)

    def begin(self, *words):
        """A verb that goes on while the test does other things."""
        return subprocess.Popen([BIN / "podvisor", "--root", self.root, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def end(self):
        """Nothing is left running: the pods end with their files."""
        try:
            self.daemon.send_signal(signal.SIGCONT)
            for file in self.pods.glob("*.pod"):
                file.unlink()
                self.run_cli("wait", file.stem, "--for=gone", "--timeout=30s")
            self.daemon.terminate()
            self.daemon.wait(PATIENCE)
        finally:
            self.clean_up()

    def clean_up(self):
        self.kill_daemon()
        leftovers.kill_below(self.root)
        leftovers.forget(self.clean_up)

    def declare(self, name, text=POD):
        new = self.pods / f".{name}"
        new.write_text(text)
        new.rename(self.pods / f"{name}.pod")

    def run_cli(self, *words, **more):
        more.setdefault("env", {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"})
        return subprocess.run([BIN / "podvisor", "--root", self.root, *map(str, words)], text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE, **more)

    def ok(self, *words):
        done = self.run_cli(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def fails(self, status, *words):
        done = self.run_cli(*words)
        self.assertEqual(done.returncode, status, done)
        return done.stderr

    # Exit statuses: every verb in every trouble that it can be in

    PODS = ("start", "stop", "restart", "kill", "pause", "resume", "adopt", "forget")
    IMAGES = ("remove", "verify")
    ALONE = ("list", "reload", "doctor", "image list", "image prune")

    def statuses(self, status, *lines):
        for line in lines:
            self.assertNotEqual(self.fails(status, *line.split()), "", line)

    def test_a_wrong_command_line_gives_2(self):
        self.statuses(2, "", "frobnicate", "image", "wait", "logs", "logs a/b/c", "logs a b", "logs a --since=x", "check --x",
                      "explain a b", "image import a", "image tag a", "image remove", "image verify", "checkpoint show", "template build",
                      "checkpoint show A", "image import /:/ /", "image remove /:/", "image verify :", "image tag : a", "status a_b",
                      *(verb for verb in self.PODS), *(f"{verb} web.pod" for verb in self.PODS), *(f"{verb} x" for verb in self.ALONE),
                      *(f"{verb} --frobnicate" for verb in self.ALONE))
        self.statuses(125, "exec", "exec web", "exec a_b true", "exec --frobnicate web true", "exec -e A web true",
                      "attach", "attach a b", "attach a_b", "attach --frobnicate web", "attach --detach-keys=ab web")

    def test_no_podvisord_gives_6(self):
        self.statuses(6, "list", "status", "status web", "reload", "wait web", *(f"{verb} web" for verb in self.PODS))
        self.statuses(125, "exec web true", "attach web")

    def test_what_is_not_there_gives_4(self):
        self.start("web")
        self.statuses(4, "status none", "logs none", "checkpoint show none", "explain none", "image tag none a",
                      *(f"{verb} none" for verb in self.PODS), *(f"image {verb} none" for verb in self.IMAGES))
        self.statuses(125, "exec none true", "exec web/none true", "attach none", "attach web/none")
        self.assertIn("the pod's backend runs no programs", self.fails(125, "attach", "web"))

    def test_a_state_in_which_it_cannot_be_done_gives_3(self):
        self.start("web", "held")
        self.declare("slow", 'null = { start_delay = "50s"; };' + POD)
        self.ok("stop", "held")
        self.ok("wait", "slow", "--for=starting", "--timeout=30s")
        self.statuses(3, "pause held", "resume held", "pause slow", "adopt web", "forget held", "wait held", "wait web held")
        self.assertEqual(self.fails(3, "status", "held"), "")
        self.statuses(125, "exec held true", "attach held")
        self.ok("pause", "web")
        self.assertIn("web\" is paused: nothing in it runs until `podvisor resume web`", self.fails(125, "exec", "web", "true"))
        self.assertIn("web\" is paused", self.fails(125, "attach", "web"))

    def test_what_cannot_be_read_or_written_gives_1(self):
        self.start()
        self.statuses(1, "check /nonexistent", "check /dev/null", "image import x /nonexistent", "image import x /dev/null")
        (self.root / "state/log").rmdir()
        (self.root / "state/log").write_text("")
        self.declare("web")
        self.statuses(1, "logs web")
        (self.root / "podvisord.conf").write_text("x = 1;\n")
        self.statuses(1, "logs web", "doctor")

    # Without podvisord

    def test_a_podvisord_that_does_not_run_is_told_with_what_to_do(self):
        said = self.fails(6, "list")
        self.assertIn(f"nobody listens on {self.root}/run/bus", said)
        self.assertIn(f"podvisord --root {self.root}", said)
        self.assertIn("not running", self.fails(125, "exec", "web", "true"))

    def test_root_comes_from_the_environment_too(self):
        done = subprocess.run([BIN / "podvisor", "list"], env={"PODVISOR_ROOT": str(self.root)}, capture_output=True, text=True)
        self.assertIn(f"{self.root}/run/bus", done.stderr)
        self.assertIn("exclude", self.fails(2, "--user", "list"))

    def test_a_file_that_is_too_big_is_refused(self):
        big = self.root / "big.pod"
        big.write_text("# " + "x" * (1 << 20) + "\n" + POD)
        self.assertEqual(self.fails(1, "check", big), f"{big}: is larger than 1024K, which no pod file is\n")

    def test_directories_and_what_is_no_file_are_checked_as_podvisord_takes_them(self):
        self.declare("good")
        (self.pods / "wrong.pod").write_text("x")
        (self.pods / "not-looked-at.pod~").write_text("x")
        (self.pods / "masked.pod").symlink_to("/dev/null")
        os.mkfifo(self.pods / "pipe.pod")
        done = self.run_cli("check")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, f"{self.pods}/good.pod: good\n")
        self.assertEqual([line.split(":")[0] for line in done.stderr.splitlines()],
                         [f"{self.pods}/pipe.pod", f"{self.pods}/wrong.pod"])
        self.assertIn("No such file", self.fails(1, "check", self.pods / "none.pod"))

    def test_check_as_json(self):
        (self.root / "x.pod").write_text("cpus = 0;\n")
        said = json.loads(self.run_cli("check", "--json=short", self.root / "x.pod").stdout)
        self.assertEqual([(d["file"], d["line"]) for d in said], [(f"{self.root}/x.pod", None), (f"{self.root}/x.pod", 1)])

    def test_an_image_that_is_not_here_is_a_warning(self):
        self.start()
        self.declare("other", POD.replace("small", "big"))
        done = self.run_cli("check", self.pods / "other.pod")
        self.assertEqual((done.returncode, done.stdout), (0, f"{self.pods}/other.pod: good\n"))
        self.assertRegex(done.stderr, r'^/.*/other\.pod: warning: container a: there is no image "big"')

    def test_a_pod_without_its_image_waits_for_it_and_counts_no_start(self):
        self.start()
        self.declare("web", 'start_timeout = "1s"; restart = { policy = "never"; };' + POD.replace("null", "qemu").replace("small", "late"))
        self.ok("wait", "web", "--for=waiting", "--timeout=30s")
        self.assertIn('did not start: it waits for its image: there is no image "late"', self.fails(1, "start", "web"))
        self.assertRegex(self.run_cli("status", "web").stdout, r'(?m)^  Waits for: its image: there is no image "late"; ')
        pod = json.loads(self.ok("list", "--json=short"))[0]
        self.assertEqual((pod["state"], pod["missing_image"], pod["attempt"], pod["restarts"]), ("waiting", "late", 0, 0))
        # Once it is there, the start that was due is made.
        self.ok("image", "import", "late", self.root / "tree")
        self.run_cli("wait", "web", "--for=failed", "--timeout=60s")
        pod = json.loads(self.ok("list", "--json=short"))[0]
        self.assertEqual((pod["missing_image"], pod["attempt"]), (None, 1))

    def test_explain_knows_every_level(self):
        self.assertIn("Accepted: always, on-failure or never", self.ok("explain", "containers.restart.policy"))
        self.assertIn("did you mean \"memory\"", self.fails(4, "explain", "memroy"))
        # A group of keys has no effect of its own, and a sentence ends with its sentence.
        limits = self.ok("explain", "containers.limits")
        self.assertIn("A change: does what its keys say\n", limits)
        self.assertRegex(limits, r"cpu +The most processor time, in cores: 0.5 is half of one core\n")
        self.assertIn("A change: is applied to the running pod\n", self.ok("explain", "containers.limits.memory_high"))
        self.assertIn("max_starts", self.ok("explain", "--daemon"))

    def test_doctor_says_what_is_missing_and_fails_only_for_what_is_needed(self):
        (self.root / "podvisord.conf").write_text('qemu = "/nonexistent/qemu";\n')
        done = self.run_cli("doctor")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^QEMU +missing +yes +/nonexistent/qemu: No such file")
        self.assertIn("apt install qemu-system-x86", done.stdout)
        states = {row["what"]: row for row in json.loads(self.run_cli("doctor", "--json=short").stdout)}
        self.assertEqual(states["QEMU"]["state"], "missing")
        self.assertFalse(states["KVM"]["needed"])

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([BIN / "podvisor", "explain"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)

    # With it

    def test_a_pod_is_stopped_and_started_and_each_verb_waits(self):
        self.start("web")
        states = {"stop": "inactive", "start": "ready", "pause": "paused", "resume": "ready", "restart": "ready",
                  "kill": "inactive"}
        for verb, state in states.items():
            self.ok(verb, "web")
            self.assertRegex(self.ok("list", "--no-legend"), rf"^web +{state} ", verb)
        self.assertEqual(self.fails(3, "status", "web"), "")

    def test_the_list_is_a_table_or_json(self):
        self.start("web", "db")
        lines = self.ok("list").splitlines()
        self.assertEqual(lines[0].split(), "POD STATE READY BACKEND GEN RESTARTS CPU MEMORY SINCE".split())
        self.assertEqual([line.split()[0] for line in lines[1:]], ["db", "web"])
        self.assertFalse([line for line in lines if line != line.rstrip()])
        pods = json.loads(self.ok("list", "--json=pretty"))
        self.assertEqual([(p["name"], p["state"], p["containers"][0]["name"]) for p in pods],
                         [("db", "ready", "a"), ("web", "ready", "a")])
        self.assertEqual(len(self.ok("list", "--no-legend").splitlines()), 2)

    # analyze

    def start_of(self, *words):
        return json.loads(self.ok("analyze", *words, "--json=short"))

    def count(self, pod, key, least):
        """Until the pod is there, and has that many of them."""
        deadline = time.monotonic() + PATIENCE
        while not any(p["name"] == pod and p[key] >= least for p in json.loads(self.ok("list", "--json=short"))):
            self.assertLess(time.monotonic(), deadline)

    def test_what_a_start_went_into_adds_up(self):
        self.start("web")
        whole, chain = self.start_of("web"), self.start_of("critical-chain", "web")["steps"]
        self.assertEqual((whole["pod"], whole["outcome"], whole["reached"]), ("web", "finished", "ready"))
        self.assertEqual(sum(whole["parts"].values()), whole["total"])
        self.assertEqual((sum(step["took"] for step in chain), chain[0]["step"], chain[-1]["step"]), (whole["total"], "ready", "seen"))
        times = [step["at"] for step in chain]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertRegex(self.ok("analyze", "web"), r"^Startup of web finished in \S+ \(podvisord\) \+ .* = \S+\.\n$")
        self.assertRegex(self.ok("analyze"), r"(?m)^web +\S+ .* finished$")
        self.assertRegex(self.ok("analyze", "critical-chain", "web"), r"(?m)^ready @\S+ \+\S+$")
        steps = [line.split()[1] for line in self.ok("analyze", "blame", "web").splitlines()]
        self.assertEqual(sorted(steps), sorted(step["step"] for step in self.start_of("plot", "web")["steps"] if step["step"] != "seen"))
        self.assertRegex(self.ok("analyze", "plot", "web"), r"(?s)^<\?xml .*web: ready after .*</svg>\n$")

    def test_a_start_is_remembered_over_podvisord_and_begins_with_what_led_to_it(self):
        self.start("web")
        before = self.start_of("plot", "web")
        self.kill_daemon()
        self.start_daemon()
        self.await_daemon()
        self.ok("wait", "web", "--timeout=30s")
        self.assertEqual(self.start_of("plot", "web"), before)
        self.ok("restart", "web")
        after = self.start_of("plot", "web")
        self.assertEqual(after["steps"][0]["step"], "asked")
        self.assertGreater(after["begin"], before["begin"])
        self.ok("stop", "web")
        self.assertEqual(self.start_of("plot", "web"), after)
        self.kill_daemon()
        self.start_daemon()
        self.await_daemon()
        self.assertEqual(self.start_of("plot", "web"), after)

    def test_a_start_begins_with_its_file_only_where_that_led_to_it(self):
        self.start("web")
        before = self.start_of("web")["begin"]
        self.declare("web", 'memory = "200M";' + POD)
        self.count("web", "attempt", 2)
        self.ok("wait", "web", "--timeout=30s")
        after = self.start_of("plot", "web")
        self.assertEqual([step["step"] for step in after["steps"]][:2], ["seen", "read"])
        self.assertGreater(after["begin"], before)
        # Of what is started again after a failure, the file is not the reason.
        self.declare("job", 'null = { run_time = "50ms"; exit_code = 1; }; restart = { delay = "10ms"; };' + POD)
        self.count("job", "restarts", 1)
        self.assertEqual(self.start_of("plot", "job")["steps"][0]["step"], "decided")

    def test_a_start_that_fails_is_shown_as_far_as_it_came(self):
        self.start()
        self.declare("bad", 'null = { fail_start = true; }; restart = { policy = "never"; };' + POD)
        self.ok("wait", "bad", "--for=failed", "--timeout=30s")
        said = self.start_of("bad")
        self.assertEqual((said["outcome"], said["reached"], said["reason"]), ("failed", "begun", "start-failed"))
        self.assertEqual(sum(said["parts"].values()), said["total"])
        self.assertRegex(self.ok("analyze", "bad"), r'failed after .*: it came to "begun"; .*the pod file says that each start fails\.\n$')
        self.declare("slow", 'null = { start_delay = "50s"; };' + POD)
        self.ok("wait", "slow", "--for=starting", "--timeout=30s")
        self.assertRegex(self.ok("analyze", "slow"), r'^Startup of slow is under way for \S+: it came to "')

    def test_what_cannot_be_analyzed_is_told(self):
        self.start("web")
        self.declare("lazy", "autostart = false;" + POD)
        self.ok("wait", "lazy", "--for=inactive", "--timeout=30s")
        for words in ((), ("blame",), ("critical-chain",), ("plot",)):
            self.assertIn("none", self.fails(4, "analyze", *words, "none"))
            self.assertEqual(self.fails(3, "analyze", *words, "lazy"), "Pod lazy has never been started.\n")
        self.assertRegex(self.ok("analyze"), r"(?m)^lazy +- .* unknown$")
        self.statuses(2, "analyze blame", "analyze plot", "analyze critical-chain", "analyze blame web web", "analyze a_b",
                      "analyze plot web --no-pager")

    def test_a_picture_is_not_for_a_terminal(self):
        self.start("web")
        terminal, theirs = os.openpty()
        self.addCleanup(os.close, terminal)
        done = subprocess.run([BIN / "podvisor", "--root", self.root, "analyze", "plot", "web"], stdin=subprocess.DEVNULL, stdout=theirs,
                              stderr=subprocess.PIPE, text=True)
        os.close(theirs)
        self.assertEqual(done.returncode, 2)
        self.assertIn("podvisor analyze plot web > web.svg", done.stderr)

    def test_names_of_pods_that_are_not_there(self):
        self.start("web")
        for words in (("start", "wbe"), ("status", "wbe"), ("logs", "wbe")):
            self.assertIn("wbe", self.fails(4, *words))
        self.assertIn('"../x" is no name of a pod', self.fails(2, "status", "../x"))

    def test_a_pod_that_has_written_nothing_has_empty_logs(self):
        self.start("web")
        for target in ("web", "web/a"):
            done = self.run_cli("logs", target)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", f"podvisor: {target} has written nothing yet\n"))
        self.assertIn("web has no container b", self.fails(4, "logs", "web/b"))
        self.assertIn("there is no such pod", self.fails(4, "logs", "-f", "wbe"))

    def test_logs_of_a_pod_that_podvisord_has_not_seen_yet(self):
        self.declare("web")
        self.assertEqual(self.run_cli("logs", "web").returncode, 0)
        self.fails(4, "logs", "none")

    def test_a_start_that_fails_tells_why_and_what_to_look_at(self):
        self.start()
        self.declare("bad", 'null = { fail_start = true; }; restart = { policy = "never"; }; autostart = false;' + POD)
        self.run_cli("wait", "bad", "--for=inactive", "--timeout=30s")
        said = self.fails(1, "start", "bad")
        self.assertIn("bad did not start: ", said)
        self.assertIn("start-failed", said)
        self.assertIn("podvisor status bad", said)

    def test_a_wait_ends_in_time_and_says_what_the_pod_is(self):
        self.start("web")
        said = self.fails(5, "wait", "web", "--for=paused", "--timeout=100ms")
        self.assertIn("web did not become paused in time", said)
        self.assertIn("there is no such pod", self.fails(5, "wait", "later", "--timeout=100ms"))

    def test_a_wait_hears_of_a_pod_that_comes_later(self):
        self.start()
        waiting, _ = self.wait_on_terminal("late")
        self.declare("late")
        self.assertEqual(waiting.wait(PATIENCE), 0)

    def test_a_wait_for_what_only_an_operator_brings_says_so(self):
        self.start("web")
        self.ok("stop", "web")
        said = self.fails(3, "wait", "web")
        self.assertIn("web did not become ready: ", said)
        self.assertIn("it is held; `podvisor start web` starts it", said)
        self.declare("lazy", "autostart = false;" + POD)
        self.ok("wait", "lazy", "--for=inactive", "--timeout=30s")
        self.assertIn("`podvisor start lazy` starts it", self.fails(3, "wait", "lazy"))
        self.declare("job", 'null = { run_time = "50ms"; }; restart = { policy = "never"; };' + POD)
        self.ok("wait", "job", "--for=succeeded", "--timeout=30s")
        self.assertIn("job did not become ready: ", self.fails(3, "wait", "job"))
        self.fails(5, "wait", "web", "--patient", "--timeout=100ms")
        patient = self.begin("wait", "web", "--patient")
        self.ok("start", "web")
        self.assertEqual((patient.communicate(timeout=PATIENCE), patient.returncode), (("", ""), 0))

    def test_a_file_that_was_just_mended_is_waited_for(self):
        self.start()
        self.declare("web", "x = 1;\n")
        self.ok("wait", "web", "--for=inactive", "--timeout=30s")
        self.assertRegex(self.fails(3, "wait", "web"), r"(?m)^  .*/web\.pod:1: x: unknown key")
        self.declare("web")
        self.ok("wait", "web", "--timeout=30s")

    def wait_on_terminal(self, *words):
        """A wait for a pod that is not there, when it has said so: it is in the middle of waiting then."""
        terminal, theirs = os.openpty()
        self.addCleanup(os.close, terminal)
        waiting = subprocess.Popen([BIN / "podvisor", "--root", self.root, "wait", *words], stdin=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        self.assertIn(b"waiting for it", os.read(terminal, 4096))
        return waiting, terminal

    def test_a_wait_goes_on_over_a_restart_of_podvisord(self):
        self.start("web")
        waiting, terminal = self.wait_on_terminal("late")
        self.kill_daemon()
        self.assertIn(b"podvisord has ended; waiting for the next one", os.read(terminal, 4096))
        self.start_daemon()
        self.declare("late")
        self.assertEqual(waiting.wait(PATIENCE), 0)

    def test_a_start_goes_on_over_a_restart_of_podvisord(self):
        self.start()
        self.declare("slow", 'autostart = false; null = { start_delay = "2s"; };' + POD)
        self.ok("wait", "slow", "--for=inactive", "--timeout=30s")
        starting = self.begin("start", "slow")
        self.ok("wait", "slow", "--for=starting", "--patient", "--timeout=30s")
        self.kill_daemon()
        self.start_daemon()
        self.assertEqual((starting.communicate(timeout=PATIENCE), starting.returncode), (("", ""), 0))

    def test_a_podvisord_that_does_not_come_back_is_waited_for_until_the_deadline(self):
        self.start()
        waiting, terminal = self.wait_on_terminal("late", "--timeout=2s")
        self.kill_daemon()
        self.assertIn(b"waiting for the next one", os.read(terminal, 4096))
        self.assertIn(b"no other one answers", os.read(terminal, 4096))
        self.assertEqual(waiting.wait(PATIENCE), 6)
        self.start_daemon()

    def test_a_pod_that_ends_by_itself_has_succeeded(self):
        self.start()
        self.declare("job", 'null = { run_time = "50ms"; }; restart = { policy = "never"; };' + POD)
        self.ok("wait", "job", "--for=succeeded", "--timeout=30s")
        self.assertRegex(self.ok("list", "--no-legend"), "^job +succeeded ")

    def test_a_pod_with_init_sidecar_and_probes_lives_as_it_would_with_a_machine(self):
        self.start()
        self.declare("job", 'init = ( { name = "first"; image = "small"; } ); backend = "null"; null = { run_time = "500ms"; }; '
                            'containers = ( { name = "a"; image = "small"; ready = { tcp = ":80"; }; }, '
                            '{ name = "side"; image = "small"; sidecar = true; } ); restart = { policy = "on-failure"; };')
        self.ok("wait", "job", "--for=succeeded", "--timeout=30s")
        (status,) = json.loads(self.run_cli("status", "job", "--json=short").stdout)
        self.assertEqual([(c["name"], c["role"], c["state"], c["exit_code"], c["exit_signal"]) for c in status["containers"]],
                         [("first", "init", "ended", 0, 0), ("a", "main", "ended", 0, 0),
                          ("side", "sidecar", "ended", -1, signal.SIGTERM)])
        self.assertEqual(status["containers_total"], 2)
        # What they ended with is kept, whoever tells it.
        self.kill_daemon()
        self.start_daemon()
        self.await_daemon()
        self.ok("wait", "job", "--for=succeeded", "--timeout=30s")
        self.assertEqual(json.loads(self.run_cli("status", "job", "--json=short").stdout)[0]["containers"], status["containers"])

    def test_errors_of_a_file_are_on_the_page_of_the_pod(self):
        self.start("web")
        self.declare("web", "containers = 1;\n")
        self.run_cli("reload")
        self.assertRegex(self.ok("status", "web"), r"(?m)^ +Errors: .*/web\.pod:1: containers: 1 is not accepted.*\n"
                         r" +\(the last good definition, generation 1, goes on until this is mended\)$")
        self.declare("never", "cpus = 0;\n")
        self.ok("wait", "never", "--for=inactive", "--timeout=30s")
        done = self.run_cli("status", "never")
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stdout, r"(?m)^ +Errors: .*/never\.pod:")
        self.assertIn("(its definition was never right, so nothing can run)", done.stdout)
        self.assertNotRegex(done.stdout, "generation|Machine|Containers")

    def test_reload_says_each_error_on_a_line_of_its_own(self):
        self.start()
        self.declare("one", "x = 1;\n")
        said = self.fails(1, "reload")
        self.assertRegex(said, r"(?m)^podvisor: .*/one\.pod:1: x: unknown key")
        self.assertNotIn("\\x0a", said)

    def test_a_podvisord_that_hangs_is_named_within_five_seconds(self):
        self.start("web")
        self.daemon.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        said = self.fails(6, "list")
        self.assertLess(time.monotonic() - begin, 7)
        self.assertIn(f"process {self.daemon.pid}) does not answer within 5s", said)

    def test_checkpoints_are_shown_without_podvisord_and_with_what_is_wrong(self):
        self.start("web")
        self.daemon.send_signal(signal.SIGSTOP)
        shown = json.loads(self.ok("checkpoint", "show", "web", "--json=short"))
        self.assertEqual(shown["definition.msgpack"]["body"]["name"], "web")
        self.assertEqual(shown["definition.msgpack"]["body"]["token"], "not shown")
        self.assertIn("vm/runner.msgpack", shown)
        run = self.root / "run/pods/web"
        good = (run / "supervisor.msgpack").read_bytes()
        (run / "supervisor.msgpack").write_bytes(good[:-1])
        done = self.run_cli("checkpoint", "show", "web")
        (run / "supervisor.msgpack").write_bytes(good)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["supervisor.msgpack"]["outcome"], "corrupt")
        self.assertIn("no run path", self.fails(4, "checkpoint", "show", "none"))

    def test_images_are_imported_listed_and_removed(self):
        self.start()
        self.assertRegex(self.ok("image", "list", "--no-legend"), r"^small +sha256:[0-9a-f]{12} ")
        self.ok("image", "tag", "small", "other")
        self.assertEqual(json.loads(self.ok("image", "list", "--json=short"))[0]["names"], ["other", "small"])
        self.ok("image", "verify", "small")
        self.ok("image", "remove", "small", "other")
        self.assertEqual(self.ok("image", "list", "--no-legend"), "")
        self.assertIn("there is no image", self.fails(4, "image", "remove", "small"))
        self.assertIn("tree", self.fails(1, "image", "import", "x", self.root / "no-tree"))

    def test_tables_on_a_terminal_have_colours_unless_they_are_not_wanted(self):
        self.start("web")
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            shown = subprocess.run(["script", "-qec", f"{BIN}/podvisor --root {self.root} list --no-pager", "/dev/null"],
                                   env={"PATH": os.environ["PATH"], "TERM": "xterm", **environment}, capture_output=True, text=True,
                                   stdin=subprocess.DEVNULL, timeout=PATIENCE).stdout
            self.assertEqual("\033[32mready" in shown, coloured, shown)
            self.assertTrue(re.search("web .*ready", shown))


unittest.main(argv=sys.argv[:1])
