#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`after` and `requires`: podvisord as a whole, with null machines."""
import os, re, signal, sys, unittest

sys.path.insert(0, os.path.dirname(__file__))
from instance import Instance, alive, until

AFTER, REQUIRES = 'after = [ "%s" ];', 'requires = [ "%s" ];'
SLOW = 'null = { start_delay = "1h"; };'
FOR_EVER = 'stop_timeout = "1h"; null = { ignore_stop = true; };'
STUBBORN = 'stop_timeout = "500ms"; null = { ignore_stop = true; };'


class OrderTest(unittest.TestCase):
    def setUp(self):
        self.i = Instance()
        self.addCleanup(self.clean_up)

    def clean_up(self):
        if sys.exc_info()[0] or (self._outcome and not self._outcome.success):
            self.i.log.flush()
            text = (self.i.root / "log").read_text(errors="replace")
            print(f"--- {self.id()}\n{text[-6000:]}", file=sys.stderr)
        self.i.close()

    def said(self, pattern):
        """Names of the pods of which the log says this, in its order."""
        self.i.log.flush()
        return re.findall(rf"(?m)^podvisord: ([a-z0-9-]+): {pattern}", (self.i.root / "log").read_text(errors="replace"))

    def started(self):
        return self.said("a machine is started")

    def ended(self):
        return self.said("its machine ended")

    def waits_for(self, name, *others):
        pod = until(f"{name} waits", lambda: (p := self.i.pod(name)) and p["state"] == "waiting" and p["waits_for"] and p)
        self.assertEqual(sorted(pod["waits_for"]), sorted(others))
        return pod


class Starts(OrderTest):
    def test_a_start_waits_until_the_other_one_is_ready(self):
        self.i.define("app", AFTER % "web")
        self.i.define("web", REQUIRES % "db")
        self.i.define("db", SLOW)
        self.i.start()
        self.waits_for("web", "db")
        self.waits_for("app", "web")
        self.assertRegex(self.i.do("list"), r"(?m)^app +waiting for web ")
        self.assertRegex(self.i.call("status", "web").stdout, r"(?m)^  Waits for: db, which is not ready$")
        self.i.define("db")
        self.i.await_all(["app", "web", "db"])
        self.assertEqual(self.started(), ["db", "db", "web", "app"])
        page = self.i.do("status", "web")
        self.assertRegex(page, r"(?m)^   Requires: db$")

    def test_a_pod_that_is_not_declared_is_shown_and_waited_for(self):
        self.i.define("a", AFTER % "late")
        self.i.define("b", REQUIRES % "late")
        self.i.start()
        for name in "ab":
            self.assertEqual(self.waits_for(name, "late")["phase"], "late, which is not declared")
        # Whoever asks for a start is not kept waiting for what nobody knows to come.
        end = self.i.call("start", "a")
        self.assertEqual((end.returncode, end.stderr.splitlines()[0]), (1, "a did not start: it waits for late, which is not declared"))
        # Nor does one that is not understood count
        self.i.define("late", "memory = 1;")
        until("it is told", lambda: "never right" in (self.i.pod("a")["phase"] or ""))
        self.i.define("late")
        self.i.await_all(["a", "b", "late"])

    def test_after_waits_for_nobody_who_is_not_to_run(self):
        self.i.define("held")
        self.i.define("idle", "autostart = false;")
        self.i.start()
        self.i.await_state("held", "ready")
        self.i.do("stop", "held")
        self.i.define("web", 'after = [ "held", "idle" ];')
        self.i.await_state("web", "ready")

    def test_what_is_required_is_started_for_it(self):
        self.i.define("idle", "autostart = false;")
        self.i.start()
        self.i.await_state("idle", "inactive")
        self.i.define("web", REQUIRES % "idle")
        self.i.await_all(["idle", "web"])
        self.assertEqual(self.started(), ["idle", "web"])

    def test_a_job_that_has_succeeded_satisfies_whoever_requires_it(self):
        self.i.define("job", 'restart = { policy = "never"; }; null = { run_time = "300ms"; };')
        self.i.define("bad", 'restart = { policy = "never"; }; null = { run_time = "300ms"; exit_code = 3; };')
        self.i.define("web", 'requires = [ "job" ]; after = [ "bad" ];')
        self.i.define("other", REQUIRES % "bad")
        self.i.start()
        self.i.await_state("job", "succeeded")
        self.i.await_state("bad", "failed")
        self.i.await_state("web", "ready")
        self.assertEqual(self.waits_for("other", "bad")["phase"], "bad, which has failed")
        self.i.do("stop", "web")
        self.i.do("start", "web")

    def test_a_circle_is_an_error_that_names_its_path_and_its_end_ends_it(self):
        self.i.define("a", AFTER % "b")
        self.i.define("b", REQUIRES % "c")
        self.i.define("c")
        self.i.define("other", AFTER % "a")
        self.i.start()
        pods = self.i.await_all(["a", "b", "c", "other"])
        self.i.define("c", AFTER % "a")
        at = f"{self.i.definitions}/%s.pod:2"
        error = until("the error is told", lambda: self.i.pod("a")["errors"])
        self.assertEqual(error, [f"{at % 'a'}: after: it would wait for itself: a -> b ({at % 'b'}) -> c ({at % 'c'}) -> a"])
        self.assertTrue(all(self.i.pod(n)["errors"] for n in "bc"))
        self.assertEqual(self.i.pod("other")["errors"], [])
        # What runs goes on; what ends does not come again, and a stop is not held up.
        self.assertEqual({n: p["vmm_pid"] for n, p in self.i.pods().items()}, {n: p["vmm_pid"] for n, p in pods.items()})
        self.i.do("stop", "c")
        self.i.do("start", "--no-wait", "c")
        self.i.await_state("c", "waiting")
        self.assertEqual(self.i.call("check").returncode, 1)
        self.i.define("c")
        self.i.await_all(["a", "b", "c", "other"])
        self.assertEqual(self.i.pod("a")["errors"], [])
        self.assertEqual(self.i.call("check").returncode, 0)


class Ends(OrderTest):
    def test_what_requires_a_stopped_pod_ends_first_and_comes_back_with_it(self):
        self.i.define("db")
        self.i.define("web", (REQUIRES % "db") + STUBBORN)
        self.i.define("app", REQUIRES % "web")
        self.i.define("free", AFTER % "db")
        self.i.start()
        pods = self.i.await_all(["db", "web", "app", "free"])
        self.i.do("stop", "db")
        self.assertEqual(self.ended(), ["app", "web", "db"])
        self.assertEqual(self.i.pod("free")["vmm_pid"], pods["free"]["vmm_pid"])
        self.assertEqual(self.i.await_state("db", "inactive")["state"], "inactive")
        self.assertEqual(self.waits_for("web", "db")["phase"], "db, which was stopped by an operator")
        self.assertEqual(self.i.pod("web")["end_cause"], "a pod that it requires is stopped, or has failed")
        self.assertFalse(self.i.pod("web")["hold"])
        self.i.do("start", "db")
        self.i.await_all(["db", "web", "app", "free"])
        self.assertEqual(self.started()[4:], ["db", "web", "app"])

    def test_a_restart_and_a_change_are_for_those_who_require_it_too(self):
        self.i.define("db")
        self.i.define("web", REQUIRES % "db")
        self.i.start()
        self.i.await_all(["db", "web"])
        self.i.do("restart", "db")
        self.i.await_all(["db", "web"])
        self.assertEqual((self.started(), self.ended()), (["db", "web"] * 2, ["web", "db"]))
        self.i.define("db", "cpus = 2;")
        until("both are new", lambda: all(p["attempt"] == 3 and p["state"] == "ready" for p in self.i.pods().values()))
        self.assertEqual((self.started(), self.ended()), (["db", "web"] * 3, ["web", "db"] * 2))

    def test_a_failure_alone_ends_nobody_else(self):
        self.i.define("db", 'restart = { delay = "300ms"; };')
        self.i.define("web", REQUIRES % "db")
        self.i.start()
        pods = self.i.await_all(["db", "web"])
        os.kill(pods["db"]["vmm_pid"], signal.SIGKILL)
        until("it is back", lambda: (p := self.i.await_state("db", "ready"))["attempt"] == 2)
        self.assertEqual(self.i.pod("web")["vmm_pid"], pods["web"]["vmm_pid"])

    def test_a_failure_for_good_ends_what_requires_it(self):
        self.i.define("db", 'restart = { policy = "never"; };')
        self.i.define("web", REQUIRES % "db")
        self.i.start()
        pods = self.i.await_all(["db", "web"])
        os.kill(pods["db"]["vmm_pid"], signal.SIGKILL)
        self.waits_for("web", "db")
        self.assertFalse(alive(pods["web"]["vmm_pid"]))
        # A start of the one starts what it requires.
        self.i.do("start", "web")
        self.i.await_all(["db", "web"])

    def test_a_start_lifts_the_hold_of_what_it_requires(self):
        self.i.define("db")
        self.i.define("web", REQUIRES % "db")
        self.i.start()
        self.i.await_all(["db", "web"])
        self.i.do("stop", "db", "web")
        self.assertEqual(self.ended(), ["web", "db"])
        self.i.do("start", "web")
        self.i.await_all(["db", "web"])

    def test_files_that_are_removed_together_end_in_order(self):
        self.i.define("db")
        self.i.define("web", (AFTER % "db") + STUBBORN)
        self.i.define("zoo", AFTER % "web")
        self.i.start()
        self.i.await_all(["db", "web", "zoo"])
        for name in ("db", "web", "zoo"):
            self.i.undefine(name)
        for name in ("db", "web", "zoo"):
            self.i.await_gone(name)
        self.assertEqual(self.ended(), ["zoo", "web", "db"])

    def test_a_stop_of_several_is_in_order_whatever_theirs_is(self):
        for names in (["db", "web", "zoo"], ["zoo", "web", "db"]):
            with self.subTest(names=names):
                self.i.define("db")
                self.i.define("web", (AFTER % "db") + STUBBORN)
                self.i.define("zoo", AFTER % "web")
                if not self.i.daemon:
                    self.i.start()
                self.i.await_all(["db", "web", "zoo"])
                before = len(self.ended())
                self.i.do("stop", *names)
                self.assertEqual(self.ended()[before:], ["zoo", "web", "db"])
                self.i.do("start", *names)

    def test_after_alone_does_not_end_what_goes_on(self):
        self.i.define("db")
        self.i.define("web", AFTER % "db")
        self.i.start()
        pods = self.i.await_all(["db", "web"])
        self.i.do("stop", "db")
        self.assertEqual(self.i.pod("web")["vmm_pid"], pods["web"]["vmm_pid"])

    def test_a_kill_waits_for_nobody(self):
        self.i.define("db")
        self.i.define("web", (REQUIRES % "db") + FOR_EVER)
        self.i.start()
        pods = self.i.await_all(["db", "web"])
        self.i.do("kill", "db")
        self.i.await_state("web", "stopping")
        self.assertTrue(alive(pods["web"]["vmm_pid"]))

    def test_a_wish_that_is_taken_back_ends_nobody_further(self):
        self.i.define("db")
        self.i.define("web", (REQUIRES % "db") + FOR_EVER)
        self.i.start()
        pods = self.i.await_all(["db", "web"])
        self.i.do("stop", "--no-wait", "db")
        self.i.await_state("web", "stopping")
        self.assertEqual(self.i.pod("db")["waits_for"], ["web"])
        self.i.do("start", "db")
        os.kill(pods["web"]["vmm_pid"], signal.SIGKILL)
        until("web is new", lambda: (p := self.i.await_state("web", "ready"))["attempt"] == 2)
        self.assertEqual(self.i.pod("db")["vmm_pid"], pods["db"]["vmm_pid"])


class Recovery(OrderTest):
    def test_a_new_podvisord_ends_nobody_and_keeps_the_order(self):
        self.i.define("db")
        self.i.define("web", REQUIRES % "db")
        self.i.start()
        pods = self.i.await_all(["db", "web"])
        self.i.end()
        self.i.start()
        again = self.i.await_all(["db", "web"])
        self.assertEqual({n: p["vmm_pid"] for n, p in again.items()}, {n: p["vmm_pid"] for n, p in pods.items()})
        self.i.end()
        self.i.undefine("db")
        self.i.undefine("web")
        self.i.start()
        for name in ("db", "web"):
            self.i.await_gone(name)
        self.assertEqual(self.ended(), ["web", "db"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
