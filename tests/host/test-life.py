#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The order of containers in real guests, and their probes: who starts when, who ends when, and what a failed probe does."""
import json
import os
import signal
import unittest
from xml.etree import ElementTree

from instance import HostTest, alive, until

# Of a cold start by a file: the steps that the host sees, and those by the guest's clock with what they lead to.
HOST_STEPS = ("seen", "read", "decided", "turn", "frozen", "runner", "begun", "spawned", "greeted", "proved", "welcome", "configure",
              "configured")
GUEST_STEPS = ("spawned", "kernel", "init", "modules", "port", "welcome", "configure", "told", "setup")
ONCE = 'restart = { policy = "never"; };'
QUICK = 'period = "200ms"; timeout = "20s";'
WAITS = '"trap \'exit 0\' TERM; echo up; while :; do sleep 1000 & wait $!; done"'


def container(name, script, more=""):
    return f'{{ name = "{name}"; image = "busybox"; command = [ "sh", "-c", {script} ]; {more} }}'


def stays(name, more=""):
    return container(name, WAITS, more)


def pod(*containers, init=(), more=""):
    first = f"init = ( {', '.join(init)} );\n" if init else ""
    return f"{more}\n{first}containers = ( {', '.join(containers)} );\n"


class LifeTest(HostTest):
    def setUp(self):
        self.addCleanup(self.host.clear)

    def has(self, pod, name, **wanted):
        """The container, as soon as it is so; of a pod that runs, or is about to."""
        self.host.wait(pod, state="running")

        def reached():
            found = self.host.container(pod, name)
            return found if all(found[key] == value for key, value in wanted.items()) else None
        return until(f"{pod}/{name} has {wanted}", reached)

    def away(self, pod):
        """Neither podvisord nor the pod's runner is there any more."""
        (runner,) = self.host.runners()[pod]
        self.host.kill()
        os.kill(runner, signal.SIGKILL)
        until("the runner is gone", lambda: not alive(runner))

    def start_of(self, pod, *words):
        return json.loads(self.host.cli("analyze", *words, pod, "--json=short").stdout)

    def check_start(self, pod):
        """Every step of a cold start is known, in its order, and the sum is the whole; returns the steps."""
        whole, plot = self.start_of(pod), self.start_of(pod, "plot")
        steps = {(step.get("container"), step["step"]): step for step in plot["steps"]}
        chain = self.start_of(pod, "critical-chain")["steps"]
        self.assertEqual((whole["outcome"], sum(whole["parts"].values())), ("finished", whole["total"]))
        self.assertEqual(sum(step["took"] for step in chain), whole["total"])
        self.assertEqual((chain[0]["step"], chain[-1]["step"]), ("ready", "seen"))
        for order in ((*HOST_STEPS, "ready"), (*GUEST_STEPS, "ready")):
            times = [steps[None, word]["at"] for word in order]
            self.assertEqual(times, sorted(times), order)
        self.assertTrue(all(part > 0 for part in whole["parts"].values()), whole)
        self.assertGreater(plot["guest_doubt"], 0)
        return steps

    def events(self, pod):
        said = (self.host.root / "podvisord.out").read_text().splitlines()
        return [line.removeprefix("podvisord: ") for line in said if line.startswith(f"podvisord: {pod}: ")]


class Order(LifeTest):
    def test_init_runs_in_order_and_what_fails_is_tried_again(self):
        self.host.write("app", pod(
            stays("main"), more='volumes = ( { name = "data"; type = "tmpfs"; } );',
            init=[container("first", '"echo one > /data/steps"', 'mounts = ( { volume = "data"; path = "/data"; } );'),
                  container("second", '"echo two >> /data/steps; test $(wc -l < /data/steps) -ge 4"',
                            'mounts = ( { volume = "data"; path = "/data"; } ); '
                            'restart = { delay = "50ms"; }; limits = { memory = "8M"; };'),
                  container("third", '"cat /data/steps"', 'mounts = ( { volume = "data"; path = "/data"; } );')]))
        self.host.wait("app")
        status = self.host.status("app")
        self.assertEqual([(c["name"], c["role"], c["state"], c["exit_code"]) for c in status["containers"]],
                         [("first", "init", "ended", 0), ("second", "init", "ended", 0), ("third", "init", "ended", 0),
                          ("main", "main", "running", -1)])
        self.assertEqual((status["containers_ready"], status["containers_total"]), (1, 1))
        self.assertEqual(self.host.container("app", "second")["restarts"], 2)
        until("its output", lambda: "two" in self.host.cli("logs", "app/third", check=False).stdout)
        self.assertEqual(self.host.cli("logs", "app/third").stdout.split(), ["one", "two", "two", "two"])
        page = self.host.page("app")
        self.assertRegex(page, r"(?m)^ +second \(init\): ended; 2 restarts; exit status 0")
        # Without a name it is the one that the pod is for.
        self.assertEqual(self.host.cli("exec", "app", "--", "echo", "here").stdout, "here\n")
        refused = self.host.cli("exec", "app/second", "--", "true", check=False)
        self.assertEqual(refused.returncode, 125)
        self.assertIn("container second does not run: it ended for good", refused.stderr)

    def test_who_waits_says_for_whom_and_a_stop_ends_the_wait(self):
        self.host.write("app", pod(stays("main"), init=[stays("slow")]))
        self.has("app", "slow", state="running")
        self.assertEqual(self.host.container("app", "main")["message"], "it waits for init container slow")
        self.assertEqual(self.host.status("app")["state"], "running")
        self.assertIn("others come before it", self.host.cli("exec", "app/main", "--", "true", check=False).stderr)
        self.host.cli("stop", "app")
        status = self.host.status("app")
        self.assertEqual((status["state"], status["reason"]), ("inactive", "stopped"))
        self.assertEqual(status["containers"][1]["started"], 0)

    def test_an_init_container_that_fails_for_good_is_the_pods_failure(self):
        self.host.write("app", pod(stays("main"), init=[container("check", '"echo no; exit 7"', ONCE), stays("never")],
                                   more='restart = { policy = "never"; };'))
        self.host.wait("app", state="failed")
        status = self.host.status("app")
        self.assertEqual((status["reason"], status["message"]), ("completed", "container check ended with exit status 7"))
        self.assertEqual([(c["name"], c["state"], c["exit_code"]) for c in status["containers"]],
                         [("check", "ended", 7), ("never", "failed", -1), ("main", "failed", -1)])
        self.assertIn("main: failed; it was not started, since init container check failed", self.host.page("app"))
        self.assertEqual(self.host.machines(), {})

    def test_the_pods_own_policy_starts_it_all_again(self):
        self.host.write("app", pod(stays("main"), init=[container("check", '"exit 7"', ONCE)],
                                   more='restart = { policy = "on-failure"; delay = "100ms"; };'))
        self.host.wait("app", state="backoff")
        until("a second machine", lambda: self.host.status("app")["restarts"] >= 1)
        self.assertEqual(self.host.status("app")["reason"], "completed")

    def test_a_job_succeeds_without_its_sidecar(self):
        self.host.write("job", pod(container("work", '"echo worked"', ONCE), stays("proxy", "sidecar = true;"),
                                   init=[container("before", '"true"')], more='restart = { policy = "on-failure"; };'))
        self.host.wait("job", state="succeeded")
        ends = {c["name"]: c for c in self.host.status("job")["containers"]}
        self.assertEqual({name: c["exit_code"] for name, c in ends.items()}, {"before": 0, "work": 0, "proxy": 0})
        self.assertLessEqual(ends["before"]["ended"], ends["proxy"]["started"])
        self.assertLessEqual(ends["proxy"]["started"], ends["work"]["started"])
        self.assertLessEqual(ends["work"]["ended"], ends["proxy"]["ended"])

    def test_a_job_ends_with_its_exit_status(self):
        self.host.write("job", pod(container("work", '"exit 3"', ONCE), init=[container("before", '"true"')],
                                   more='restart = { policy = "never"; };'))
        self.host.wait("job", state="failed")
        self.assertEqual(self.host.status("job")["message"], "container work ended with exit status 3")
        self.assertEqual([c["exit_code"] for c in self.host.status("job")["containers"]], [0, 3])
        self.assertRegex(self.host.page("job"), r"work: ended; exit status 3(?s:.)*container work ended with exit status 3")

    def test_a_sidecar_stops_after_the_others(self):
        self.host.write("pair", pod(
            container("main", '"trap \'sleep 1; exit 5\' TERM; echo up; while :; do sleep 1000 & wait $!; done"'),
            stays("proxy", "sidecar = true;")))
        self.host.wait("pair")
        # What other pods of this name had written would be counted, too.
        until("both are up", lambda: self.host.cli("logs", "pair", check=False).stdout.count("up") == 2)
        self.host.cli("stop", "pair")
        ends = {c["name"]: c for c in self.host.status("pair")["containers"]}
        self.assertEqual((ends["main"]["exit_code"], ends["proxy"]["exit_code"]), (5, 0))
        self.assertLessEqual(ends["main"]["ended"], ends["proxy"]["ended"])
        self.assertFalse(self.host.status("pair")["overdue"])

    def test_the_order_holds_while_nobody_watches(self):
        self.host.write("app", pod(stays("main"), init=[container("slow", '"until test -e /go; do sleep 1; done"')]))
        self.has("app", "slow", state="running")
        machine = self.host.machines()["app"]
        self.host.sh("app/slow", "(sleep 1; touch /go) >/dev/null 2>&1 &")
        self.away("app")
        self.host.start()
        self.host.wait("app")
        self.assertEqual(self.host.machines()["app"], machine)
        self.assertEqual(self.host.container("app", "slow")["exit_code"], 0)
        # The times of the start are of both runners: what the first one saw, and what came when it was gone.
        steps = self.check_start("app")
        until("the first line of main is told", lambda: "output" in {step["step"] for step in self.start_of("app", "plot")["steps"]
                                                                      if step.get("container") == "main"})
        for name in ("slow", "main"):
            times = [steps[name, word]["at"] for word in ("called", "created", "started", "done")]
            self.assertEqual(times, sorted(times), name)
        self.assertGreaterEqual(steps["main", "called"]["at"], steps["slow", "done"]["at"])
        self.assertTrue(steps["slow", "done"]["critical"] and steps["main", "done"]["critical"])
        self.assertGreaterEqual(steps["slow", "done"]["took"], 1_000_000)
        picture = ElementTree.fromstring(self.host.cli("analyze", "plot", "app").stdout)
        self.assertEqual(len(picture.findall(".//{*}title")), len(self.start_of("app", "blame")["steps"]) - 1)


class Probes(LifeTest):
    def test_ready_by_a_program_gates_the_pod_and_whoever_requires_it(self):
        self.host.write("base", pod(stays("main", f'ready = {{ exec = [ "test", "-e", "/go" ]; {QUICK} failures = 1; }};')))
        self.host.write("above", pod(stays("main"), more='requires = [ "base" ];'))
        self.has("base", "main", unready=True, state="running", probe_failure="ready probe failed: exit status 1")
        self.assertEqual(self.host.status("base")["state"], "running")
        self.assertEqual(self.host.status("base")["containers_ready"], 0)
        self.assertEqual(self.host.status("above")["waits_for"], ["base"])
        self.assertRegex(self.host.page("base"), r"main: running, not ready, started .*; ready probe failed: exit status 1 \(")
        self.host.sh("base/main", "touch /go")
        self.host.wait("base", "above")
        self.host.sh("base/main", "rm /go")
        self.host.wait("base", state="running")
        until("it is not ready", lambda: self.host.status("base")["state"] == "running")
        self.assertEqual(self.host.status("above")["state"], "ready", "what runs already goes on")
        until("the event", lambda: self.events("base")[-1] ==
              "base: not ready any more: container main is not ready; ready probe failed: exit status 1")
        self.assertEqual(self.host.container("base", "main")["restarts"], 0)

    def test_ready_by_a_connection(self):
        self.host.write("app", pod(container("main", '"until test -e /go; do sleep 1; done; exec nc -ll -p 5000 -e true"',
                                             f'ready = {{ tcp = ":5000"; {QUICK} }};')))
        self.has("app", "main", unready=True, probe_failure="ready probe failed: Connection refused")
        self.host.sh("app/main", "touch /go")
        self.host.wait("app")

    def test_ready_by_a_request_with_its_status_and_headers(self):
        answer = ('"echo 503 > /status; while :; do printf \'HTTP/1.1 %s Of The Test\\r\\nContent-Length: 0\\r\\n\\r\\n\' $(cat /status) | '
                  'nc -l -p 8080 >> /asked; done"')
        self.host.write("app", pod(
            container("main", answer,
                      f'ready = {{ http = "http://:8080/health?all"; headers = {{ X-Probe = "it is me"; }}; '
                      f'status = "204"; {QUICK} }};')))
        self.has("app", "main", unready=True, probe_failure="ready probe failed: HTTP status 503")
        self.host.sh("app/main", "echo 204 > /status")
        self.host.wait("app")
        asked = self.host.sh("app/main", "cat /asked").stdout
        self.assertIn("GET /health?all HTTP/1.1\n", asked.replace("\r", ""))
        self.assertIn("\nX-Probe: it is me\n", asked.replace("\r", ""))

    def test_alive_starts_the_container_again_and_says_why(self):
        self.host.write("app", pod(stays("main", f'alive = {{ exec = [ "sh", "-c", "echo is gone; test ! -e /bad" ]; {QUICK} '
                                                 'failures = 2; }; restart = { delay = "100ms"; };'), stays("other")))
        self.host.wait("app")
        self.host.sh("app/main", "touch /bad; true")
        again = self.has("app", "main", restarts=1)
        self.assertEqual(again["message"], "alive probe failed: exit status 1: is gone")
        self.assertEqual(again["exit_code"], 0)
        self.assertEqual(self.host.container("app", "other")["restarts"], 0)
        self.assertEqual(self.host.status("app")["restarts"], 0, "the machine goes on")
        self.assertIn("alive probe failed: exit status 1: is gone", self.host.page("app"))

    def test_a_probe_that_hangs_is_ended_and_counts(self):
        self.host.write("app", pod(stays("main", 'alive = { exec = [ "sleep", "1000" ]; period = "500ms"; timeout = "300ms"; '
                                                 'failures = 2; }; restart = { delay = "100ms"; };')))
        again = self.has("app", "main", restarts=1)
        self.assertEqual(again["message"], "alive probe failed: no answer within 300ms")
        self.assertEqual(again["exit_code"], 0)

    def test_startup_has_its_own_patience(self):
        self.host.write("app", pod(stays("main", f'startup = {{ exec = [ "test", "-e", "/up" ]; {QUICK} failures = 1000; }}; '
                                                 f'alive = {{ exec = [ "test", "-e", "/up" ]; {QUICK} failures = 1; }};')))
        self.has("app", "main", unready=True, probe_failure="startup probe failed: exit status 1")
        self.host.sh("app/main", "touch /up")
        self.host.wait("app")
        self.assertEqual(self.host.container("app", "main")["restarts"], 0)

    def test_a_container_that_does_not_come_up_in_time_is_started_again(self):
        self.host.write("app", pod(stays("main", f'startup = {{ tcp = "[::1]:9"; {QUICK} failures = 2; }};')))
        self.assertRegex(self.has("app", "main", restarts=1)["message"], "^startup probe failed: ")

    def test_probes_go_on_while_nobody_watches(self):
        self.host.write("app", pod(stays("main", f'alive = {{ exec = [ "test", "!", "-e", "/bad" ]; {QUICK} failures = 2; }}; '
                                                 'restart = { delay = "100ms"; };')))
        self.host.wait("app")
        machine = self.host.machines()["app"]
        self.host.sh("app/main", "(sleep 1; touch /bad) >/dev/null 2>&1 &")
        self.away("app")
        self.host.start()
        again = self.has("app", "main", restarts=1)
        self.assertEqual(again["message"], "alive probe failed: exit status 1")
        self.assertEqual(self.host.machines()["app"], machine)


if __name__ == "__main__":
    unittest.main()
