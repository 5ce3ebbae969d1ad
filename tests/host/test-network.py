#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pod's network: what reaches it, what it reaches, and what becomes of it when something of it dies."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import unittest
import urllib.request

from instance import NOBODY, HostTest, Instance, alive, children, compile_static, failure, nobodys_instance, process_state, processes_below, until

SERVER = """containers = (
  {{ name = "httpd"; image = "busybox"; stop_signal = "KILL"; capabilities = [ "NET_BIND_SERVICE", "NET_RAW" ];
    command = [ "sh", "-c", "mkdir /www; echo {page} >/www/index.html; httpd -f -p 80 -h /www & httpd -f -p 81 -h /www & {more} wait" ]; }}
);
network = {{ mode = "user"; publish = [ {publish} ]; }};
"""
ECHO = "guest-datagrams echo 53 & "


def pod(publish, page="served", more=""):
    return SERVER.format(page=page, more=more, publish=", ".join(f'"{p}"' for p in publish))


def free_ports(n, kind=socket.SOCK_STREAM):
    """n neighbours, of which nobody has one now."""
    while True:
        with socket.socket(type=kind) as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
        with contextlib.ExitStack() as stack:
            try:
                for i in range(n):
                    stack.enter_context(socket.socket(type=kind)).bind(("", port + i))
                return port
            except (OSError, OverflowError):
                continue


def page(port, address="127.0.0.1"):
    """None: nobody serves it yet, since the pod is ready a moment before its server is."""
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(f"http://{address}:{port}/", timeout=10) as answer:
            return answer.read().decode().strip()


def own_address():
    """One of this host's that is not a loopback address; None: it has none."""
    with socket.socket(type=socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
        s.connect(("192.0.2.254", 9))
        address = s.getsockname()[0]
        return None if address.startswith("127.") else address


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as s:
        s.bind(("::1", 0))
        return True
    return False


def field(pid, name):
    return next(line.split(":")[1].split() for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                if line.startswith(name + ":"))


class NetworkTest(HostTest):
    def declare(self, name, text, wait=True):
        self.host.write(name, text)
        self.addCleanup(self.host.cli, "wait", name, "--for=gone", "--timeout=60s", check=False)
        self.addCleanup(self.host.remove, name)
        if wait:
            self.host.wait(name)

    def uplinks(self):
        """{pod: process} of podvisor-uplink."""
        return {file.split("/")[0]: pid for pid, (program, files) in processes_below(self.host.run / "pods").items()
                if program == "podvisor-uplink" for file in files if file.endswith("/vm")}

    def passt(self, name):
        uplink = self.uplinks().get(name)
        found = children(uplink) if uplink else []
        return found[0] if found else None

    def served(self, port, text="served", address="127.0.0.1"):
        return until(f"port {port} is served", lambda: page(port, address)) == text


class Reached(NetworkTest):
    """One pod, and everything by which it may be reached or may reach something."""

    @classmethod
    def setUpClass(cls):
        directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pv-")))
        cls.files = [compile_static("guest-datagrams.c", directory / "guest-datagrams")]
        super().setUpClass()
        cls.port = free_ports(5)
        cls.udp = free_ports(1, socket.SOCK_DGRAM)
        ports = [f"127.0.0.1:{cls.port}:80/tcp", f"{cls.port + 1}-{cls.port + 2}:80-81", f"127.0.0.1:{cls.udp}:53/udp"]
        if has_ipv6():
            ports.append(f"[::1]:{cls.port + 4}:80")
        cls.host.write("web", pod(ports, more=ECHO))
        cls.host.wait("web")

    def test_a_page_is_fetched_through_a_published_port(self):
        self.assertTrue(self.served(self.port))

    def test_each_port_of_a_range_leads_to_its_own(self):
        self.assertTrue(self.served(self.port + 1))
        self.assertTrue(self.served(self.port + 2))

    def test_a_port_without_an_address_is_published_on_all_of_them(self):
        address = own_address() or self.skipTest("this host has loopback addresses only")
        self.assertTrue(self.served(self.port + 1, address=address))
        self.assertIsNone(page(self.port, address))

    @unittest.skipUnless(has_ipv6(), "this host has no IPv6")
    def test_a_page_is_fetched_over_ipv6(self):
        self.assertTrue(self.served(self.port + 4, address="[::1]"))
        # Only there; and a port without an address is at this one, too.
        self.assertIsNone(page(self.port + 4))
        self.assertTrue(self.served(self.port + 1, address="[::1]"))
        self.assertIsNone(page(self.port, "[::1]"))

    def test_datagrams_come_and_are_answered(self):
        def asked():
            with socket.socket(type=socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
                s.settimeout(2)
                s.connect(("127.0.0.1", self.udp))
                s.send(b"anybody there?")
                return s.recv(100)
        self.assertEqual(until("an answer", asked), b"anybody there?")

    def test_what_is_not_published_is_not_reached(self):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port + 3), timeout=10)

    def test_the_guest_knows_its_address_its_name_and_who_resolves_names(self):
        self.assertIn("inet 10.0.2.15/24", self.host.sh("web", "ip address show dev eth0").stdout)
        self.assertEqual(self.host.sh("web", "hostname -i").stdout.split(), ["10.0.2.15"])
        self.assertEqual(self.host.sh("web", "cat /etc/resolv.conf").stdout, "nameserver 10.0.2.3\n")
        routes = self.host.sh("web", "ip route; ip -6 route").stdout
        self.assertIn("default via 10.0.2.2", routes)
        self.assertIn("default via fe80::1", routes)

    def test_status_shows_address_and_ports(self):
        status = self.host.status("web")
        self.assertEqual(status["address"], "10.0.2.15")
        self.assertEqual(status["published"][0], f"127.0.0.1:{self.port}:80/tcp")
        self.assertRegex(self.host.page("web"), rf"(?m)^ +Network: user, 10\.0\.2\.15\n +Published: 127\.0\.0\.1:{self.port}:80/tcp$")

    def test_the_guest_reaches_a_server_at_the_hosts_own_address(self):
        address = own_address() or self.skipTest("this host has loopback addresses only")
        with socket.create_server((address, 0)) as server:
            port = server.getsockname()[1]
            asking = subprocess.Popen(self.host.words("exec", "web", "--", "nc", address, str(port)), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
            server.settimeout(60)
            connection, _ = server.accept()
            # A guest that closes its half first hears the same again and again from passt of 2023; so that stays open.
            with connection:
                connection.send(b"welcome")
            self.assertEqual(asking.stdout.read(), b"welcome")
            asking.communicate(timeout=60)

    def test_no_address_of_its_network_is_the_hosts_loopback(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            for address in ("10.0.2.2", "10.0.2.3"):
                done = self.host.sh("web", f"nc -w 2 {address} {server.getsockname()[1]} </dev/null && echo reached", check=False)
                self.assertNotIn("reached", done.stdout)
            server.settimeout(0)
            with self.assertRaises(BlockingIOError):
                server.accept()

    def test_a_hostile_guest_does_not_reach_the_hosts_loopback(self):
        address = own_address() or self.skipTest("this host has loopback addresses only")
        with socket.socket(type=socket.SOCK_DGRAM) as outside, socket.socket(type=socket.SOCK_DGRAM) as inside:
            outside.bind((address, 0))
            inside.bind(("127.0.0.1", 0))
            for to, at in (("127.0.0.1", inside), ("127.1.2.3", inside), ("0.0.0.0", inside), ("10.0.2.2", inside), (address, outside)):
                self.host.cli("exec", "web", "--", "guest-datagrams", "send", "eth0", to, str(at.getsockname()[1]), "knock")
            # In the order in which they were sent: when the last has come, the others would have.
            outside.settimeout(60)
            self.assertEqual(outside.recv(100), b"knock")
            inside.settimeout(0)
            with self.assertRaises(BlockingIOError):
                inside.recv(100)

    def test_what_carries_it_may_do_nothing_else(self):
        uplink = self.uplinks()["web"]
        for pid in (uplink, self.passt("web")):
            self.assertEqual(field(pid, "NoNewPrivs"), ["1"])
            self.assertEqual(field(pid, "Seccomp"), ["2"])
            self.assertEqual(field(pid, "CapEff"), ["0" * 16])
            self.assertEqual(field(pid, "CapAmb"), ["0" * 16])
            if os.geteuid() == 0:
                self.assertEqual(field(pid, "Uid"), [str(NOBODY)] * 4)
                self.assertEqual(field(pid, "Groups"), [])
        # passt has kept its own sandbox: an empty root directory, and a user namespace.
        self.assertEqual(os.listdir(f"/proc/{self.passt('web')}/root"), [])
        self.assertNotEqual(os.readlink(f"/proc/{self.passt('web')}/ns/user"), os.readlink("/proc/self/ns/user"))

    def test_qemu_has_no_socket_of_a_network(self):
        pid = self.host.status("web")["vmm_pid"]
        inodes = {os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1] for fd in os.listdir(f"/proc/{pid}/fd")
                  if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")}
        of_networks = {line.split()[9] for file in ("tcp", "tcp6", "udp", "udp6")
                       for line in pathlib.Path(f"/proc/net/{file}").read_text().splitlines()[1:]}
        self.assertTrue(inodes)
        self.assertEqual(inodes & of_networks, set())


class Refused(NetworkTest):
    def test_a_port_that_somebody_has_is_named_with_who_has_it(self):
        port = free_ports(3)
        with socket.create_server(("127.0.0.1", port + 1)):
            self.declare("web", pod([f"127.0.0.1:{port}-{port + 2}:80-82"]), wait=False)
            self.assertEqual(failure(self.host, "web"), f"its network cannot be made: the port 127.0.0.1:{port + 1}/tcp is taken on this host, "
                                                 f"by {pathlib.Path('/proc/self/comm').read_text().strip()} (process {os.getpid()})")
            self.assertEqual(self.host.machines(), {})
        self.host.wait("web")
        self.assertTrue(self.served(port))

    def test_a_datagram_port_that_somebody_has_is_named(self):
        with socket.socket(type=socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            self.declare("web", pod([f"{port}:53/udp"]), wait=False)
            self.assertIn(f"the port {port}/udp is taken on this host", failure(self.host, "web"))

    def test_an_address_that_the_host_has_not_is_named(self):
        self.declare("web", pod(["198.51.100.77:8080:80"]), wait=False)
        self.assertIn("the port 198.51.100.77:8080/tcp cannot be published: this host has no such address", failure(self.host, "web"))

    def test_the_second_of_two_pods_with_one_port_is_told_of_the_first(self):
        port = free_ports(1)
        self.declare("first", pod([f"127.0.0.1:{port}:80"], page="first"))
        self.declare("second", pod([f"{port}:80"], page="second"), wait=False)
        self.assertEqual(failure(self.host, "second"), f"the port {port}/tcp is published by the pod first, which runs")
        self.assertTrue(self.served(port, "first"))
        checked = self.host.cli("check", check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn(f"network.publish: {port}/tcp is published by the pod first too", checked.stderr)
        self.host.remove("first")
        self.host.wait("second")
        self.assertTrue(self.served(port, "second"))

    def test_a_pod_that_publishes_less_gives_the_port_to_another(self):
        port = free_ports(1)
        self.declare("first", pod([f"127.0.0.1:{port}:80"], page="first"))
        self.host.write("first", pod([], page="first"))
        until("the change is seen", lambda: self.host.status("first")["pending"])
        self.host.cli("restart", "first")
        self.host.wait("first")
        self.declare("second", pod([f"{port}:80"], page="second"))
        self.assertTrue(self.served(port, "second"))


class WithoutPasst(NetworkTest):
    config = 'passt = "/nonexistent/passt";'

    def test_a_pod_with_a_network_does_not_start_and_says_what_to_install(self):
        self.declare("web", pod([]), wait=False)
        message = failure(self.host, "web")
        self.assertEqual(message, 'network.mode is "user", and passt is not installed: there is no /nonexistent/passt; install the '
                                  'package passt, or set `passt` in podvisord.conf')

    def test_doctor_says_so_too(self):
        self.assertRegex(self.host.cli("doctor", check=False).stdout, r"(?m)^passt +missing +no +/nonexistent/passt: No such file or directory")

    def test_a_pod_without_one_starts(self):
        self.declare("hello", pod([]).replace('mode = "user"; publish = [  ];', ""))
        self.assertEqual(self.host.sh("hello", "ls /sys/class/net").stdout.split(), ["lo"])
        self.assertEqual(self.host.status("hello")["address"], None)


class BrokenPasst(NetworkTest):
    """passt that ends at once, with a reason."""
    config = 'passt = "{}";'

    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pv-"))
        os.chmod(directory, 0o755)
        program = pathlib.Path(directory, "passt")
        program.write_text("#!/bin/sh\necho No external routable interface >&2\nexit 1\n")
        program.chmod(0o755)
        cls.config = cls.config.format(program)
        super().setUpClass()

    def test_its_own_reason_is_told(self):
        self.declare("web", pod([]), wait=False)
        message = failure(self.host, "web")
        self.assertEqual(message, "its network cannot be made: passt ended with status 1: No external routable interface")


class Deaths(NetworkTest):
    """The machine goes on, whatever of its network dies."""

    def setUp(self):
        self.port = free_ports(1)
        self.declare("web", pod([f"127.0.0.1:{self.port}:80"]))
        self.assertTrue(self.served(self.port))
        self.machine = self.host.status("web")["vmm_pid"]

    def assert_lives(self):
        self.assertTrue(self.served(self.port))
        until("no complaint is left", lambda: not self.host.status("web")["network_lost"])
        self.assertEqual(self.host.status("web")["vmm_pid"], self.machine)
        self.assertEqual(self.host.status("web")["state"], "ready")

    def said(self, text):
        until(f"it is said: {text}", lambda: text in (self.host.root / "podvisord.out").read_text())

    def kill_runner(self):
        runner = self.host.status("web")["runner_pid"]
        os.kill(runner, signal.SIGKILL)
        return runner

    def await_another(self, runner):
        until("another runner", lambda: self.host.status("web")["runner_pid"] not in (0, runner))
        self.host.wait("web")

    def test_passt_that_is_killed_is_named_and_started_again(self):
        passt = self.passt("web")
        os.kill(passt, signal.SIGKILL)
        self.said("Pod web: its network is gone: passt was killed by SIGKILL")
        until("another passt", lambda: self.passt("web") not in (None, passt))
        until("it is known", lambda: [h["pid"] for h in self.host.status("web")["helpers"]] == [self.uplinks().get("web")])
        self.assert_lives()

    def test_what_guards_it_is_started_again_too_and_takes_its_passt_along(self):
        uplink, passt = self.uplinks()["web"], self.passt("web")
        os.kill(uplink, signal.SIGKILL)
        self.said("Pod web: its network is gone: podvisor-uplink has ended without a word")
        until("passt ends", lambda: not alive(passt))
        self.assert_lives()

    def test_a_runner_that_is_killed_leaves_the_network_as_it_is(self):
        uplink, passt = self.uplinks()["web"], self.passt("web")
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            self.await_another(self.kill_runner())
            connection.send(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b"200 OK", connection.recv(1000))
        self.assertEqual((self.uplinks()["web"], self.passt("web")), (uplink, passt))
        self.assert_lives()
        # It knows what the network costs, which only root may see.
        status = self.host.status("web")
        self.assertEqual([helper["pid"] for helper in status["helpers"]], [uplink])
        self.assertEqual(status["cost"]["network"] > 1 << 20, os.geteuid() == 0, status["cost"])
        self.assertEqual(len(status["cost"]["missing"]), int(os.geteuid() != 0))
        # And the next one notices what becomes of a passt that it did not begin.
        os.kill(passt, signal.SIGKILL)
        self.said("Pod web: its network is gone: what an earlier runner had begun has ended")
        until("another passt", lambda: self.passt("web") not in (None, passt))
        self.assert_lives()

    def test_a_passt_that_ends_while_no_runner_watches_is_started_by_the_next(self):
        uplink, passt = self.uplinks()["web"], self.passt("web")
        # podvisord, which would start another runner, is held back meanwhile.
        os.kill(self.host.daemon.pid, signal.SIGSTOP)
        runner = next(iter(self.host.runners()["web"]))
        os.kill(runner, signal.SIGKILL)
        os.kill(passt, signal.SIGKILL)
        until("the uplink ends", lambda: not alive(uplink))
        os.kill(self.host.daemon.pid, signal.SIGCONT)
        self.await_another(runner)
        self.assert_lives()

    def test_a_stop_while_the_network_is_gone_is_a_stop(self):
        uplink = self.uplinks()["web"]
        os.kill(self.passt("web"), signal.SIGKILL)
        until("the uplink ends", lambda: not alive(uplink))
        self.host.cli("stop", "web")
        self.assertEqual(self.host.status("web")["reason"], "stopped")

    def test_a_machine_that_is_killed_takes_all_of_it_along_and_comes_back_with_it(self):
        uplink, passt = self.uplinks()["web"], self.passt("web")
        os.kill(self.machine, signal.SIGKILL)
        until("both end", lambda: not alive(uplink) and not alive(passt))
        until("another machine", lambda: self.host.status("web")["vmm_pid"] not in (0, self.machine))
        self.host.wait("web")
        self.machine = self.host.status("web")["vmm_pid"]
        self.assert_lives()

    def test_a_hung_runner_holds_up_nothing(self):
        runner = self.host.status("web")["runner_pid"]
        os.kill(runner, signal.SIGSTOP)
        self.addCleanup(os.kill, runner, signal.SIGCONT)
        until("it has stopped", lambda: process_state(runner) == "T")
        self.assertTrue(self.served(self.port))

    def test_restarts_have_the_same_hardware_address_and_get_the_port_back(self):
        def address():
            return self.host.sh("web", "cat /sys/class/net/eth0/address").stdout
        before = address()
        for _ in range(3):
            self.host.cli("restart", "web")
            self.host.wait("web")
        self.assertEqual(address(), before)
        self.assertTrue(self.served(self.port))

    def test_nothing_is_left_when_the_pod_is_gone(self):
        uplink, passt = self.uplinks()["web"], self.passt("web")
        self.host.clear()
        until("both end", lambda: not alive(uplink) and not alive(passt))
        left = self.host.leftovers()
        self.assertEqual({program for program, _ in left.pop("processes").values()}, {"podvisord"})
        self.assertEqual(left, {"sockets": [], "mounts": [], "run paths": []})
        self.assertIsNone(page(self.port))


@unittest.skipIf(os.geteuid() != 0, "only root can become somebody else")
class OrdinaryUser(unittest.TestCase):
    def test_a_user_without_privileges_has_the_same_network(self):
        host = self.enterContext(nobodys_instance(self))
        host.import_busybox()
        port = free_ports(1)
        host.write("web", pod([f"127.0.0.1:{port}:80"]))
        host.wait("web")
        self.assertEqual(until("it is served", lambda: page(port)), "served")
        host.write("low", pod(["127.0.0.1:80:80"]))
        message = failure(host, "low")
        self.assertIn("the port 127.0.0.1:80/tcp ", message)
        self.assertIn("net.ipv4.ip_unprivileged_port_start", message)


@unittest.skipIf(os.geteuid() != 0, "an ordinary user has no such ports")
class LowPort(unittest.TestCase):
    def test_roots_podvisord_publishes_ports_that_users_may_not_take(self):
        port = next(p for p in range(700, 1024) if page(p) is None)
        host = self.enterContext(Instance())
        host.import_busybox()
        host.write("web", pod([f"127.0.0.1:{port}:80"]))
        host.wait("web")
        self.assertEqual(until("it is served", lambda: page(port)), "served")


if __name__ == "__main__":
    unittest.main()
