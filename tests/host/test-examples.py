#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every example does what its comment says, and the command line shows it."""
import contextlib
import json
import pathlib
import socket
import subprocess
import unittest
import urllib.request

from instance import BIN, Instance, until

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
PATIENCE = 120
# Tested elsewhere: where a host boots (systemd/test-shutdown.py), where it has a bridge (test-bridge.py), where virtiofsd is
# looked at (test-shares.py).
ELSEWHERE = {"front", "leased", "redis", "site", "store", "uploads"}


def page(port):
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return answer.read().decode()


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = cls.enterClassContext(Instance())
        cls.host.import_busybox()

    def declare(self, name, text=None):
        self.host.write(name, text or (EXAMPLES / f"{name}.pod").read_text())
        self.addCleanup(self.host.wait, name, state="gone")
        self.addCleanup(self.host.remove, name)

    def follow(self, *words):
        """The output of `podvisor logs -f`, a line at a time."""
        process = subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "logs", "-f", *words], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.terminate)
        return process.stdout

    def test_there_is_no_example_without_a_test(self):
        tested = {name.split("_")[1] for name in dir(self) if name.startswith("test_") and name.endswith("_example")}
        self.assertEqual({file.stem for file in EXAMPLES.glob("*.pod")}, tested | ELSEWHERE)

    def test_all_pass_the_check(self):
        self.host.cli("check", EXAMPLES)

    def test_hello_example(self):
        self.declare("hello")
        self.host.wait("hello")
        kernel = self.host.cli("exec", "hello", "--", "uname", "-r").stdout.strip()
        self.assertEqual(self.follow("hello").readline(), f"Hello from hello, Linux {kernel}\n")
        self.assertRegex(self.host.cli("status", "hello").stdout, rf"(?m)^ +Kernel: {kernel}$")

    def test_web_example(self):
        self.declare("web")
        self.host.wait("web")
        answer = self.host.cli("exec", "web/httpd", "--", "sh", "-c",
                               "until wget -qO- http://127.0.0.1/ 2>/dev/null; do :; done")
        self.assertEqual(answer.stdout, "<h1>Served from inside of a virtual machine</h1>\n")
        self.assertNotEqual(self.host.cli("exec", "web", "--", "touch", "/x", check=False).returncode, 0)
        self.assertRegex(self.host.cli("status", "web").stdout, r"(?m)^ +Machine: qemu with (kvm, isolated|tcg, NOT isolated) by hardware")

    def test_published_example(self):
        text = (EXAMPLES / "published.pod").read_text()
        # Whatever else runs on this host may have the example's port.
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.assertIn('"127.0.0.1:8080:80"', text)
        self.declare("published", text.replace("127.0.0.1:8080:80", f"127.0.0.1:{port}:80"))
        self.host.wait("published")
        self.assertEqual(until("the page is served", lambda: page(port)), "<h1>Reached from outside</h1>\n")

    def test_ticker_example(self):
        self.declare("ticker")
        self.host.wait("ticker")
        lines = self.follow("ticker")
        seen = [lines.readline() for _ in range(4)]
        self.assertIn("writer: tick\n", seen)
        self.assertTrue([line for line in seen if line.startswith("reader: It was ")], seen)
        self.assertRegex(self.follow("ticker/reader").readline(), "^It was ")
        self.assertEqual(self.host.cli("exec", "ticker", "--", "true", check=False).returncode, 125)

    def test_job_example(self):
        self.declare("job")
        self.host.wait("job", state="inactive")
        self.host.cli("start", "job")
        self.host.wait("job", state="succeeded")
        self.assertEqual(self.host.cli("logs", "job").stdout, "1\n2\n3\n")
        status = self.host.cli("status", "job", check=False)
        self.assertEqual(status.returncode, 3)
        self.assertIn("completed", status.stdout)

    def test_import_example(self):
        self.declare("import")
        self.host.wait("import", state="inactive")
        self.host.cli("start", "import")
        self.host.wait("import", state="succeeded")
        self.assertEqual(self.host.cli("logs", "import").stdout.splitlines(),
                         ["fetch: fetched 3 lines", "prepare: prepared", "import: got 3", "import: got 2", "import: got 1"])
        ends = {c["name"]: (c["role"], c["state"], c["exit_code"]) for c in self.host.status("import")["containers"]}
        self.assertEqual(ends, {"fetch": ("init", "ended", 0), "prepare": ("init", "ended", 0),
                                "server": ("sidecar", "ended", -1), "import": ("main", "ended", 0)})

    def test_database_example(self):
        self.declare("database")
        self.host.wait("database")
        self.assertEqual(self.follow("database").readline(), "open\n")
        self.host.cli("exec", "database", "--", "sh", "-c", "echo 3 apples >> /data/stock")
        # The container, then the pod.
        self.host.cli("exec", "database", "--", "kill", "1", check=False)
        until("the container is back", lambda: self.host.container("database", "store")["restarts"] == 1)
        self.host.wait("database")
        self.assertEqual(self.host.cli("exec", "database", "--", "cat", "/data/stock").stdout, "3 apples\n")
        self.host.cli("restart", "database")
        self.assertEqual(self.host.cli("exec", "database", "--", "cat", "/data/stock").stdout, "3 apples\n")

    def test_shop_example(self):
        self.declare("shop")
        self.host.wait("shop", state="waiting")
        self.assertIn("Waits for: database, which is not declared", self.host.cli("status", "shop", check=False).stdout)
        self.declare("database")
        self.host.wait("shop")
        self.host.cli("stop", "database")
        self.assertEqual(self.host.status("shop")["waits_for"], ["database"])
        self.assertEqual(self.host.status("shop")["end_cause"], "a pod that it requires is stopped, or has failed")
        self.assertEqual(self.host.machines(), {})
        ends = [line.split(": ")[1] for line in (self.host.root / "podvisord.out").read_text().splitlines()
                if ": its machine ended" in line]
        self.assertEqual(ends[-2:], ["shop", "database"])
        self.host.cli("start", "shop")
        for name in ("database", "shop"):
            self.assertEqual(self.host.status(name)["state"], "ready")
            # It had ended by itself, and was not killed when its time was over.
            self.assertFalse(self.host.status(name)["overdue"])

    def test_limits_example(self):
        self.declare("limits")
        self.host.wait("limits", state="inactive")
        self.host.cli("start", "limits", "--no-wait")
        self.host.wait("limits", state="running")
        process = subprocess.run([BIN / "podvisor", "--root", self.host.root, "wait", "limits", "--for=ready", "--timeout=1s"],
                                 capture_output=True, text=True)
        self.assertIn(process.returncode, (0, 5))
        containers = {}
        while not containers.get("greedy", {}).get("oom_killed"):
            containers = {c["name"]: c for c in json.loads(self.host.cli("status", "limits", "--json=short").stdout)[0]["containers"]}
        self.assertEqual(containers["greedy"]["exit_signal"], 9)
        self.assertEqual((containers["modest"]["state"], containers["modest"]["restarts"]), ("running", 0))
        self.assertIn("killed by SIGKILL, out of memory", self.host.cli("status", "limits").stdout)
        self.host.cli("stop", "limits")


if __name__ == "__main__":
    unittest.main()
