#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pods on a bridge of the host: in a network of the test's own, so that nothing of the host's is touched and nothing is left."""
import ctypes
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import unittest

from instance import HostTest, alive, failure, nobodys_instance, until

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
CLONE_NEWNET = 0x40000000
# Kinds of DHCP messages.
REQUEST, RELEASE = 3, 7
POD = """containers = ( {{ name = "main"; image = "busybox"; stop_signal = "KILL"; ready = {{ http = "http://:80/"; period = "200ms"; }}; capabilities = [ "NET_BIND_SERVICE", "NET_RAW", "NET_ADMIN" ];
  command = [ "sh", "-c", "mkdir -p /www; echo {page} >/www/index.html; exec httpd -f -p 80 -h /www" ]; }} );
network = {{ mode = "bridge"; {network} }};
"""


def pod(network, page="served"):
    return POD.format(network=network, page=page)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def taps():
    """{interface: what it is an alias of}"""
    found, name = {}, None
    for line in ip("link", "show").splitlines():
        if not line.startswith(" "):
            name = line.split()[1].rstrip(":")
        elif name.startswith("pv") and "alias podvisor pod" in line:
            found[name] = line.split("alias ")[1]
    return found


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root makes bridges")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise unittest.SkipTest("this host makes no network for a test")
    ip("link", "set", "lo", "up")
    ip("link", "add", "br0", "type", "bridge")
    ip("address", "add", "10.0.0.1/24", "dev", "br0")
    ip("link", "set", "br0", "up")


class BridgeTest(HostTest):
    def declare(self, name, network, wait=True, **more):
        self.host.write(name, pod(network, **more))
        self.addCleanup(self.host.cli, "wait", name, "--for=gone", "--timeout=60s", check=False)
        self.addCleanup(self.host.remove, name)
        if wait:
            self.host.wait(name)

    def fetched(self, name, address):
        """The page that one pod gets of another, which is ready."""
        return self.host.sh(name, f"wget -qO- http://{address}/").stdout.strip()

    def tap(self, name):
        return next((tap for tap, alias in taps().items() if alias == f"podvisor pod {name}"), None)


class TwoPods(BridgeTest):
    """Two machines on br0, and all that is to be seen of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("left", pod('bridge = "br0"; address = "10.0.0.2/24"; gateway = "10.0.0.1"; dns = [ "10.0.0.1" ]; mtu = 1400; hosts = [ "right:10.0.0.3" ];'))
        cls.host.write("right", pod('bridge = "br0"; address = "10.0.0.3/24";', page="right"))
        cls.host.wait("left", "right")

    def test_one_fetches_a_page_of_the_other(self):
        self.assertEqual(self.fetched("left", "10.0.0.3"), "right")

    def test_one_knows_the_other_by_name(self):
        self.assertEqual(self.fetched("left", "right"), "right")

    def test_the_host_fetches_one_too(self):
        done = subprocess.run(["busybox", "wget", "-qO-", "http://10.0.0.2/"], capture_output=True, text=True)
        self.assertEqual(done.stdout, "served\n")

    def test_the_guest_has_what_the_pod_file_says(self):
        shown = self.host.sh("left", "ip address show dev eth0; ip route; cat /etc/resolv.conf; grep left /etc/hosts").stdout
        for words in ("inet 10.0.0.2/24", "mtu 1400", "default via 10.0.0.1", "nameserver 10.0.0.1", "10.0.0.2\tleft"):
            self.assertIn(words, shown)
        self.assertNotIn("default", self.host.sh("right", "ip route").stdout)

    def test_status_shows_bridge_and_address(self):
        status = self.host.status("left")
        self.assertEqual((status["bridge"], status["address"]), ("br0", "10.0.0.2"))
        self.assertRegex(self.host.page("left"), r"(?m)^ +Network: bridge br0, 10\.0\.0\.2$")

    def test_each_has_a_tap_that_says_whose_it_is(self):
        self.assertEqual(sorted(taps().values()), ["podvisor pod left", "podvisor pod right"])
        self.assertRegex(self.tap("left"), r"^pv[0-9a-f]{8}-left$")

    def test_qemu_has_the_tap_and_no_right_of_root(self):
        pid = self.host.status("left")["vmm_pid"]
        files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        self.assertEqual(files.count("/dev/net/tun"), 1)
        with open(f"/proc/{pid}/status") as f:
            self.assertIn("CapEff:\t" + "0" * 16, f.read())
        # And nobody else has it: with the machine it ends.
        self.assertEqual([f for f in os.listdir(f"/proc/{self.host.status('left')['runner_pid']}/fd")
                          if os.path.realpath(f"/proc/{self.host.status('left')['runner_pid']}/fd/{f}") == "/dev/net/tun"], [])

    def test_a_guest_that_speaks_in_the_name_of_another_is_not_heard(self):
        mac = self.host.sh("right", "cat /sys/class/net/eth0/address").stdout.strip()
        self.assertEqual(self.fetched("right", "10.0.0.2"), "served")
        self.host.sh("left", f"ip link set eth0 down; ip link set eth0 address {mac}; ip link set eth0 up; ip route add default via 10.0.0.1;"
                             "ping -c 2 -W 1 10.0.0.1 >/dev/null && echo heard || echo unheard")
        try:
            done = self.host.sh("left", "ping -c 1 -W 2 10.0.0.1 >/dev/null && echo heard || echo unheard")
            self.assertEqual(done.stdout, "unheard\n")
            # What is for the other still goes there.
            self.assertIn("1 packets received", subprocess.run(["busybox", "ping", "-c", "1", "-W", "30", "10.0.0.3"], capture_output=True, text=True).stdout)
        finally:
            self.host.cli("restart", "left")
            self.host.wait("left")

    def test_whatever_is_killed_beside_the_machine_disturbs_no_traffic(self):
        machine, tap = self.host.status("left")["vmm_pid"], self.tap("left")
        number = ip("-o", "link", "show", tap).split(":")[0]
        runner = self.host.status("left")["runner_pid"]
        os.kill(runner, signal.SIGKILL)
        until("another runner", lambda: self.host.status("left")["runner_pid"] not in (0, runner))
        self.host.wait("left")
        self.host.kill()
        self.host.start()
        self.host.wait("left", "right")
        self.assertEqual(self.fetched("right", "10.0.0.2"), "served")
        self.assertEqual(self.host.status("left")["vmm_pid"], machine)
        self.assertEqual(ip("-o", "link", "show", tap).split(":")[0], number)

    def test_a_machine_that_is_killed_comes_back_with_the_same_hardware_address_and_leaves_no_tap(self):
        def mac():
            return self.host.sh("left", "cat /sys/class/net/eth0/address").stdout
        before, machine = mac(), self.host.status("left")["vmm_pid"]
        self.assertTrue(before.startswith("02:"))
        os.kill(machine, signal.SIGKILL)
        until("another machine", lambda: self.host.status("left")["vmm_pid"] not in (0, machine))
        self.host.wait("left")
        self.assertEqual(mac(), before)
        self.assertEqual(len(taps()), 2)
        self.assertEqual(self.fetched("right", "10.0.0.2"), "served")


class DhcpServer:
    """That of busybox on br0, with one address to give and no memory of earlier ones."""

    def __init__(self, directory, address, times):
        leases, conf = directory / "leases", directory / "udhcpd.conf"
        leases.write_bytes(b"")
        conf.write_text(f"interface br0\nstart {address}\nend {address}\nmax_leases 1\nlease_file {leases}\npidfile {directory}/pid\n"
                        "opt subnet 255.255.255.0\nopt router 10.0.0.1\nopt dns 10.0.0.1\nopt domain example.org\nopt mtu 1400\n" + times)
        self.process = subprocess.Popen(["busybox", "udhcpd", "-f", "-a", "1", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()


def wire():
    """All IP packets that come over br0, and go there."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    packets.bind(("br0", 0x0800))
    packets.setblocking(False)
    return packets


def asked(packets, kind, address):
    """The next message of this kind that has come to a DHCP server by who has this address; None: there is none yet."""
    while True:
        try:
            packet = packets.recv(2048)
        except BlockingIOError:
            return None
        message = packet[28:]
        if packet[9] == socket.IPPROTO_UDP and packet[22:24] == b"\0\x43" and bytes([53, 1, kind]) in message[240:] and \
           message[12:16] == socket.inet_aton(address):
            return message


def refuse(packets, message):
    """Answers it as a server does that will not have that address here."""
    answer = b"\x02" + message[1:12] + bytes(16) + message[28:240] + b"\x35\x01\x06\x36\x04\x0a\0\0\x01\x38\x08not here\xff"
    udp = struct.pack(">HHHH", 67, 68, 8 + len(answer), 0) + answer
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0, bytes([10, 0, 0, 1]), bytes([255] * 4))
    total = sum(struct.unpack(">10H", header))
    header = header[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xffff) + header[12:]
    packets.sendto(header + udp, ("br0", 0x0800, 0, 0, bytes([255] * 6)))


class Leased(BridgeTest):
    # For long, and asked about each two seconds; and for no longer than it takes to see the end of it.
    LONG, SHORT = "opt lease 3600\nopt 0x3a 00000002\nopt 0x3b 00000004\n", "opt lease 4\n"

    def server(self, address, times=LONG):
        return DhcpServer(self.host.root, address, times)

    def has(self, text, *words):
        return all(word in text for word in words)

    def refuse_all(self, packets, address):
        while message := asked(packets, REQUEST, address):
            refuse(packets, message)

    def leased(self, address, meanwhile=lambda: None):
        """The status in which the pod has this address."""
        def look():
            meanwhile()
            status = self.host.status("web")
            return status["address"] == address and not status["lease_trouble"] and status
        return until(f"the pod has {address}", look)

    def test_an_address_over_its_life(self):
        example = (EXAMPLES / "leased.pod").read_text()
        self.addCleanup(self.host.clear)
        self.host.write("web", example.replace('"dhcp";', '"dhcp"; lease_timeout = "1s";'))
        self.assertEqual(failure(self.host, "web", "agent-refused"), "no address on the bridge br0: no DHCP server answered within 1s")
        with self.server("10.0.0.50"):
            # A guest that is slow has time to hear it.
            self.host.write("web", example.replace('"dhcp";', '"dhcp"; lease_timeout = "1min";'))
            self.host.wait("web")
            status = self.leased("10.0.0.50")
            self.assertEqual((status["bridge"], status["lease_server"]), ("br0", "10.0.0.1"))
            self.assertRegex(self.host.page("web"), r"(?m)^ +Network: bridge br0, 10\.0\.0\.50\n +Lease: of 10\.0\.0\.1, until ")
            shown = self.host.sh("web", "ip address show dev eth0; ip route; cat /etc/resolv.conf /etc/hosts").stdout
            for words in ("inet 10.0.0.50/24", "mtu 1400", "default via 10.0.0.1", "search example.org\nnameserver 10.0.0.1\n", "10.0.0.50\tweb"):
                self.assertIn(words, shown)
            # It is made longer whoever is away.
            os.kill(status["runner_pid"], signal.SIGKILL)
            until("the lease is renewed", lambda: self.host.status("web")["lease_expires"] > status["lease_expires"])
            packets = self.enterContext(wire())
        # Whatever is asked about that lease from now on, or was when its server ended, is refused.
        with self.server("10.0.0.60", self.SHORT):
            self.leased("10.0.0.60", lambda: self.refuse_all(packets, "10.0.0.50"))
            until("the guest has it, and all that hangs on it", lambda: self.has(
                self.host.sh("web", "ip -4 address show dev eth0; ip route; cat /etc/hosts").stdout,
                "inet 10.0.0.60/24", "default via 10.0.0.1", "10.0.0.60\tweb"))
            self.assertNotIn("10.0.0.50", self.host.sh("web", "ip -4 address show dev eth0; cat /etc/hosts").stdout)
        trouble = until("a server that is away is missed", lambda: self.host.status("web")["lease_trouble"])
        self.assertRegex(trouble, r"^(the DHCP server 10\.0\.0\.1 does not answer|the lease of 10\.0\.0\.60 ran out, and no DHCP server made it longer)$")
        with self.server("10.0.0.50"):
            self.leased("10.0.0.50")
            self.assertEqual(self.host.container("web", "httpd")["restarts"], 0)
            self.host.cli("stop", "web")
            until("the lease is given back", lambda: asked(packets, RELEASE, "10.0.0.50"))


class Refused(BridgeTest):
    def test_a_bridge_that_is_not_there_is_named(self):
        self.declare("web", 'bridge = "br7"; address = "10.0.0.2/24";', wait=False)
        self.assertEqual(failure(self.host, "web"), "its network cannot be made: this host has no bridge br7")

    def test_what_is_no_bridge_is_named(self):
        self.declare("web", 'bridge = "lo"; address = "10.0.0.2/24";', wait=False)
        self.assertEqual(failure(self.host, "web"), "its network cannot be made: lo is an interface of this host, but no bridge")

    def test_an_mtu_larger_than_the_bridges_is_refused_with_both(self):
        self.declare("web", 'bridge = "br0"; address = "10.0.0.2/24"; mtu = 9000;', wait=False)
        self.assertEqual(failure(self.host, "web"), "its network cannot be made: the bridge br0 has an MTU of 1500, and the pod one of 9000: "
                                                    "set network.mtu to no more")

    def test_the_second_of_two_pods_with_one_address_is_told_of_the_first(self):
        self.declare("first", 'bridge = "br0"; address = "10.0.0.2/24";')
        self.declare("second", 'bridge = "br0"; address = "10.0.0.2/16";', wait=False)
        self.assertEqual(failure(self.host, "second"), "the address 10.0.0.2 on the bridge br0 is that of the pod first, which runs")
        checked = self.host.cli("check", check=False)
        self.assertEqual(checked.returncode, 1)
        self.assertIn("network.address: 10.0.0.2/16 on the bridge br0 is that of the pod first too", checked.stderr)
        self.host.remove("first")
        self.host.wait("second")

    def test_nothing_is_left_when_the_pods_are_gone(self):
        self.declare("web", 'bridge = "br0"; address = "10.0.0.2/24";')
        tap, machine = self.tap("web"), self.host.status("web")["vmm_pid"]
        self.assertIsNotNone(tap)
        self.host.clear()
        self.assertFalse(alive(machine))
        self.assertEqual(taps(), {})

    def test_a_tap_that_a_machine_made_persistent_is_taken_away_by_the_next_start(self):
        self.declare("web", 'bridge = "br0"; address = "10.0.0.2/24";')
        tap = self.tap("web")
        self.host.cli("stop", "web")
        until("it is gone", lambda: not self.tap("web"))
        ip("tuntap", "add", "dev", tap, "mode", "tap")
        self.host.cli("start", "web")
        self.host.wait("web")
        self.host.cli("stop", "web")
        until("it is gone", lambda: tap not in ip("link", "show"))


class ManagedNetwork(BridgeTest):
    """Two pods on a network of podvisor's, which say no address and no bridge."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.network("lan", 'subnet = "10.89.1.0/24"; mtu = 1400;')
        for name in ("left", "right"):
            cls.host.write(name, pod('network = "lan";', page=name))
        cls.host.wait("left", "right")

    @classmethod
    def network(cls, name, text):
        (cls.host.root / "pods.d" / f"{name}.network").write_text(text)

    def undeclare(self, name):
        (self.host.root / "pods.d" / f"{name}.network").unlink(missing_ok=True)

    def address(self, name):
        return self.host.status(name)["address"]

    def networks(self):
        return {n["name"]: n for n in json.loads(self.host.cli("network", "list", "--json=short").stdout)}

    def interface(self, name):
        """What the host says of it; nothing, if there is none."""
        return subprocess.run(["ip", "address", "show", "dev", name], capture_output=True, text=True).stdout

    def declare_network(self, name, text):
        self.network(name, text)
        self.addCleanup(self.undeclare, name)

    def test_each_has_an_address_of_its_own_and_the_host_has_the_first(self):
        self.assertEqual({self.address("left"), self.address("right")}, {"10.89.1.2", "10.89.1.3"})
        for words in ("inet 10.89.1.1/24", "mtu 1400"):
            self.assertIn(words, self.interface("pv-lan"))
        self.assertIn("alias podvisor network lan", ip("link", "show", "pv-lan"))
        self.assertEqual(self.fetched("left", self.address("right")), "right")
        self.assertIn("mtu 1400", self.host.sh("left", "ip link show eth0").stdout)
        self.assertEqual(self.host.sh("left", "ip route").stdout.splitlines()[0].split()[:3], ["default", "via", "10.89.1.1"])

    def test_status_and_list_show_the_network_and_who_has_which_address(self):
        left, right = self.address("left"), self.address("right")
        self.assertRegex(self.host.page("left"), rf"(?m)^ +Network: lan, {left} \(bridge pv-lan\)$")
        shown = self.networks()["lan"]
        self.assertEqual((shown["subnet"], shown["gateway"], shown["bridge"], shown["made"]), ("10.89.1.0/24", "10.89.1.1", "pv-lan", True))
        self.assertEqual({p["pod"]: (p["address"], p["running"]) for p in shown["pods"]}, {"left": (left, True), "right": (right, True)})
        self.assertRegex(self.host.cli("network", "list").stdout, r"(?m)^lan +10\.89\.1\.0/24 +pv-lan +in use +")

    def test_an_address_stays_over_restarts_of_its_pod_and_of_podvisord(self):
        before, machine = self.address("left"), self.host.status("right")["vmm_pid"]
        self.host.cli("restart", "left", "--no-wait")
        self.host.kill()
        self.host.start()
        self.host.wait("left", "right")
        self.assertEqual(self.address("left"), before)
        self.assertEqual(self.host.status("right")["vmm_pid"], machine)
        self.assertEqual(self.fetched("right", before), "left")

    def test_what_cannot_be_had_is_told_with_the_reason(self):
        left = self.address("left")
        self.declare_network("lan-two", 'subnet = "10.89.0.0/16";')
        self.declare_network("same", 'subnet = "10.92.0.0/24"; bridge = "pv-lan";')
        self.declare_network("bad", 'subnet = "10.93.0.0/33";')
        self.declare_network("theirs", 'subnet = "10.94.0.0/24"; bridge = "br0";')
        self.declare_network("full", 'subnet = "10.95.0.0/24"; range = "10.95.0.1-10.95.0.1";')
        place = self.host.root / "pods.d"
        told = {
                'network = "wan";': f"there is no network wan: wan.network, which would declare it, is not in {place}",
                f'network = "lan"; address = "{left}";': f"the address {left} of the network lan is that of the pod left",
                'network = "lan"; address = "10.88.0.9";': "the address 10.88.0.9 cannot be had on the network lan, 10.89.1.0/24: it is outside of the subnet",
                'network = "lan"; address = "10.89.1.1";': "the address 10.89.1.1 cannot be had on the network lan, 10.89.1.0/24: it is the host's own address there",
                'network = "lan-two";': "the network lan-two, 10.89.0.0/16, has addresses in common with the network lan, 10.89.1.0/24",
                'network = "same";': "the bridge pv-lan of the network same is that of the network lan too",
                'network = "bad";': f'the network bad cannot be used: {place}/bad.network:1: subnet: "10.93.0.0/33" is not accepted; expected an address of '
                                    'IPv4 or IPv6 such as "10.0.0.2/24" or "10.0.0.1"',
                'network = "theirs";': "its network cannot be made: this host has an interface br0, which is not podvisor's and is left as it is: set bridge in "
                                       "theirs.network to another name",
                'network = "full";': "the network full has no address left: all of 10.95.0.1-10.95.0.1 are other pods'"}
        for i, network in enumerate(told):
            self.host.write(f"refused-{i}", pod(network))
        for i, (network, why) in enumerate(told.items()):
            with self.subTest(network):
                self.assertEqual(failure(self.host, f"refused-{i}"), why)
            self.host.remove(f"refused-{i}")
            self.host.cli("wait", f"refused-{i}", "--for=gone")
        # Nothing of the bridge that is not podvisor's has changed, and what nobody has is free again.
        self.assertIn("inet 10.0.0.1/24", self.interface("br0"))
        self.assertNotIn("10.94.0.1", self.interface("br0"))
        self.assertEqual({p["pod"] for n in self.networks().values() for p in n["pods"]}, {"left", "right"})
        self.assertIn("bad.network", self.host.cli("reload", check=False).stderr)

    def test_they_find_each_other_by_name_and_who_comes_and_goes_is_seen_at_once(self):
        def hosts(pod):
            return dict(reversed(line.split("\t")) for line in self.host.sh(pod, "grep 10.89.1 /etc/hosts").stdout.splitlines())
        both = {name: self.address(name) for name in ("left", "right")}
        self.assertEqual([self.fetched("left", "right"), self.fetched("right", "left")], ["right", "left"])
        uptime = self.host.uptime("left", "main")
        self.declare("third", 'network = "lan"; hosts = [ "right:10.89.1.99" ];', page="third")
        three = {**both, "third": self.address("third")}
        until("left knows the third", lambda: hosts("left") == three)
        self.assertEqual(self.fetched("left", "third"), "third")
        self.assertEqual(self.fetched("third", "left"), "left")
        # What its own file says of a name counts.
        self.assertEqual(hosts("third"), {**three, "right": "10.89.1.99"})
        # A podvisord that comes back, and a runner that does, know it as well.
        os.kill(self.host.status("left")["runner_pid"], signal.SIGKILL)
        self.host.kill()
        self.host.start()
        self.host.wait("left", "right", "third")
        self.host.remove("third")
        for name in both:
            until(f"{name} has forgotten the third", lambda: hosts(name) == both)
        self.assertGreater(self.host.uptime("left", "main"), uptime)
        self.assertEqual(self.host.status("left")["names_stale"], None)

    def test_the_examples_talk_by_name(self):
        self.host.cli("check", EXAMPLES)
        for name in ("store", "front"):
            self.host.write(name, (EXAMPLES / f"{name}.pod").read_text())
            self.addCleanup(self.host.cli, "wait", name, "--for=gone", "--timeout=60s", check=False)
            self.addCleanup(self.host.remove, name)
        self.host.wait("store", "front")
        self.assertEqual(self.fetched("front", "store"), "in store")

    def test_an_address_that_a_pod_file_names_is_allotted_to_nobody_else(self):
        self.declare_network("dmz", 'subnet = "10.96.0.0/24";')
        self.host.write("fixed", "autostart = false;" + pod('network = "dmz"; address = "10.96.0.2";'))
        self.declare("third", 'network = "dmz";', wait=False)
        self.assertEqual(until("an address", lambda: "third" in self.host.list() and self.address("third")), "10.96.0.3")
        self.host.remove("fixed")
        self.host.remove("third")

    def test_a_network_lasts_as_long_as_its_pods_and_leaves_nothing(self):
        self.network("gone", 'subnet = "10.97.0.0/24";')
        self.declare("third", 'network = "gone";')
        self.network("gone", 'subnet = "10.98.0.0/24";')
        until("the change is seen", lambda: self.networks()["gone"]["changed"])
        self.assertIn("10.97.0.1/24", self.interface("pv-gone"))
        self.host.cli("restart", "third")
        self.host.wait("third")
        self.assertEqual(self.address("third"), "10.98.0.2")
        self.assertNotIn("10.97.0.1", self.interface("pv-gone"))
        self.undeclare("gone")
        until("it is seen", lambda: not self.networks()["gone"]["declared"])
        self.assertEqual(subprocess.run(["busybox", "wget", "-qO-", "http://10.98.0.2/"], capture_output=True, text=True).stdout, "served\n")
        self.host.remove("third")
        until("the bridge is gone", lambda: not self.interface("pv-gone"))
        until("all is forgotten", lambda: "gone" not in self.networks())
        self.assertFalse((self.host.root / "state/networks/gone").exists())


class OrdinaryUser(unittest.TestCase):
    def test_a_podvisord_without_roots_rights_says_so(self):
        host = self.enterContext(nobodys_instance(self))
        host.import_busybox()
        host.write("web", pod('bridge = "br0"; address = "10.0.0.2/24";'))
        self.assertEqual(failure(host, "web"), "its network cannot be made: to make an interface on the bridge br0 takes root's rights, and "
                                               "podvisord was not started with them")
        (host.root / "pods.d/own.network").write_text('subnet = "10.89.9.0/24";')
        host.write("managed", pod('network = "own";'))
        self.assertEqual(failure(host, "managed"), "its network cannot be made: to make the bridge pv-own takes root's rights, and podvisord was not "
                                                   "started with them")


if __name__ == "__main__":
    unittest.main()
