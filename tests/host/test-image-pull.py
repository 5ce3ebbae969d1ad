#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images from a real registry: what comes is what was asked for, nothing is fetched twice, and each failure says why."""
import contextlib
import hashlib
import json
import os
import pathlib
import pty
import signal
import subprocess
import tempfile
import threading
import unittest

from instance import BIN, HostTest, nobodys_instance, processes_below, until
from registry import Layout, Registry, Way, busybox, cut, hold, instead, noise, pack_with_zstd, run

PATIENCE = 60
ABSENT = "sha256:" + 64 * "0"


class PullTest(HostTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pv-registry-")))
        cls.layout = Layout(cls.folder, busybox, noise("noise", 3_000_000),
                            config=("--config.entrypoint", "/bin/sh", "--config.cmd", "-c", "--config.cmd",
                                    "echo I was pulled; exec sleep 100000"))
        cls.base, cls.big = cls.layout.layers()
        cls.registry = cls.enterClassContext(Registry(cls.folder / "registry"))
        cls.registry.push(cls.layout.path, "team/app:1")

    def setUp(self):
        self.way = self.enterContext(Way(self.registry))
        self.app = f"{self.way.host}/team/app"
        self.addCleanup(self.empty)

    def empty(self):
        """As if nothing had ever been pulled."""
        self.host.clear()
        for image in self.images():
            if "busybox" not in image["names"]:
                self.host.cli("image", "remove", image["record"]["digest"])
        self.host.cli("image", "prune", "--cached")
        self.assertEqual(self.cached(), set())

    def images(self):
        return json.loads(self.host.cli("image", "list", "--json=short").stdout)

    def image(self, name):
        return next((image for image in self.images() if name in (image["names"] or ())), None)

    def cached(self):
        folder = self.host.root / "state/images/cache/sha256"
        return {f"sha256:{path.name}" for path in folder.iterdir()} if folder.is_dir() else set()

    def pull(self, reference, *more, **others):
        return self.host.cli("image", "pull", "--tls-verify=false", reference, *more, check=False, **others)

    def pull_ok(self, reference, *more):
        end = self.pull(reference, *more)
        self.assertEqual(end.returncode, 0, end.stderr)
        return end.stdout

    def pull_fails(self, reference, words, *more, status=1):
        before = len(self.images())
        end = self.pull(reference, *more)
        self.assertIn(words, end.stderr)
        self.assertIn(reference, end.stderr)
        self.assertEqual(end.returncode, status, end.stderr)
        self.assertEqual(len(self.images()), before)
        self.assertEqual(list((self.host.root / "state/images/work").iterdir()), [])
        return end.stderr


class Pull(PullTest):
    def test_a_pulled_image_is_one_like_any_other_and_knows_where_it_is_from(self):
        said = self.pull_ok(f"{self.app}:1")
        digest = self.registry.digest("team/app:1")
        self.assertIn(digest, said)
        image = self.image(f"{self.app}:1")
        self.assertEqual(image["pulled"], [f"{self.app}:1@{digest}"])
        self.assertEqual(image["record"]["config"]["entrypoint"], ["/bin/sh"])
        self.host.cli("image", "verify", f"{self.app}:1")

    def test_it_is_the_image_that_its_layout_makes(self):
        self.pull_ok(f"{self.app}:1")
        self.host.cli("image", "import", "same", self.layout.path)
        self.assertEqual(self.image("same"), self.image(f"{self.app}:1"))

    def test_it_can_be_called_otherwise(self):
        self.pull_ok(f"{self.app}:1", "--name=app")
        self.assertIsNotNone(self.image("app"))
        self.assertIsNone(self.image(f"{self.app}:1"))

    def test_a_pod_runs_what_was_pulled(self):
        self.pull_ok(f"{self.app}:1")
        self.host.write("pulled", f'containers = ( {{ name = "app"; image = "{self.app}:1"; }} );')
        self.host.wait("pulled")
        until("its program speaks", lambda: "I was pulled" in self.host.cli("logs", "pulled").stdout)
        self.assertEqual(self.image(f"{self.app}:1")["pods"], ["pulled"])

    def test_what_the_registry_still_has_so_is_not_fetched_again(self):
        self.pull_ok(f"{self.app}:1")
        said = self.pull_ok(f"{self.app}:1")
        self.assertIn("still", said)
        self.assertEqual((self.way.fetched(self.base), self.way.fetched(self.big)), (1, 1))

    def test_a_tag_that_has_moved_brings_only_what_is_new(self):
        self.registry.push(self.layout.path, "team/moves")
        self.pull_ok(f"{self.way.host}/team/moves")
        before = self.image(f"{self.way.host}/team/moves")["record"]["digest"]
        with tempfile.TemporaryDirectory() as folder:
            run("cp", "-r", self.layout.path, folder)
            run("umoci", "config", "--image", f"{folder}/layout:latest", "--config.user", "7")
            self.registry.push(f"{folder}/layout", "team/moves")
        self.pull_ok(f"{self.way.host}/team/moves")
        after = self.image(f"{self.way.host}/team/moves")
        self.assertEqual(after["record"]["config"]["user"], "7")
        self.assertNotEqual(after["record"]["digest"], before)
        self.assertEqual((self.way.fetched(self.base), self.way.fetched(self.big)), (1, 1))

    def test_layers_are_shared_between_images(self):
        self.pull_ok(f"{self.app}:1")
        with tempfile.TemporaryDirectory() as folder:
            run("cp", "-r", self.layout.path, folder)
            run("umoci", "config", "--image", f"{folder}/layout:latest", "--config.user", "8")
            self.registry.push(f"{folder}/layout", "other/app:1")
        self.pull_ok(f"{self.way.host}/other/app:1")
        self.assertEqual((self.way.fetched(self.base), self.way.fetched(self.big)), (1, 1))

    def test_layers_of_a_newer_compression_are_packed_again(self):
        with tempfile.TemporaryDirectory() as folder:
            run("cp", "-r", self.layout.path, folder)
            pack_with_zstd(pathlib.Path(folder) / "layout")
            self.registry.push(f"{folder}/layout", "team/zstd:1")
        self.assertIn("tar+zstd", run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{self.registry.host}/team/zstd:1"))
        self.pull_ok(f"{self.way.host}/team/zstd:1")

    def test_a_manifest_of_docker_is_as_good(self):
        self.registry.push(self.layout.path, "team/docker:1", "--format=v2s2")
        self.pull_ok(f"{self.way.host}/team/docker:1")
        self.assertEqual(self.image(f"{self.way.host}/team/docker:1")["record"]["config"]["entrypoint"], ["/bin/sh"])

    def test_the_list_says_what_images_and_layers_take(self):
        self.pull_ok(f"{self.app}:1")
        said = self.host.cli("image", "list").stdout
        self.assertRegex(said, r"\n2 images, [\d.]+M; cached layers: 3\.\dM\n")
        self.host.cli("image", "remove", f"{self.app}:1")
        self.assertRegex(self.host.cli("image", "list").stdout, r"\n1 image, [\d.]+M; cached layers: (3\.\dM), of which \1 are of no image\n")

    def test_a_user_who_may_do_nothing_can_pull(self):
        user = self.enterContext(nobodys_instance(self))
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        # On a host where root has used podman: that closes the directory in which this user's credentials would be.
        host = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs run /run && mkdir -m 700 /run/containers && exec "$@"', "sh"] \
            if os.geteuid() == 0 else []
        end = subprocess.run([*host, *map(str, user.words("image", "pull", "--tls-verify=false", f"{self.app}:1"))], capture_output=True,
                             text=True, timeout=PATIENCE, env=environment)
        self.assertEqual((end.returncode, end.stderr), (0, ""))
        user.cli("image", "verify", f"{self.app}:1")

    def test_what_is_shown_for_programs_has_the_name_and_the_digest(self):
        record = json.loads(self.pull_ok(f"{self.app}:1", "--json=short"))
        self.assertEqual((record["name"], record["manifest"]), (f"{self.app}:1", self.registry.digest("team/app:1")))


class Pinned(PullTest):
    def test_a_digest_brings_exactly_that_under_a_name_of_its_own(self):
        pinned = f"{self.app}@{self.registry.digest('team/app:1')}"
        self.pull_ok(pinned)
        self.assertEqual(self.image(pinned)["pulled"], [pinned])

    def test_a_pinned_image_that_is_here_needs_no_registry(self):
        pinned = f"{self.app}:1@{self.registry.digest('team/app:1')}"
        self.pull_ok(pinned)
        asked = len(self.way.asked)
        self.assertIn("still", self.pull_ok(pinned))
        self.assertEqual(len(self.way.asked), asked)

    def test_a_pod_may_name_what_is_pinned(self):
        pinned = f"{self.app}@{self.registry.digest('team/app:1')}"
        self.pull_ok(pinned)
        pod = self.folder / "pinned.pod"
        pod.write_text(f'containers = ( {{ name = "app"; image = "{pinned}"; }} );')
        self.assertNotIn("image", self.host.cli("check", pod).stderr)
        pod.write_text(f'containers = ( {{ name = "app"; image = "{self.app}@{ABSENT}"; }} );')
        self.assertIn("there is no image", self.host.cli("check", pod).stderr)

    def test_nothing_else_can_be_given_such_a_name(self):
        pinned = f"{self.app}@{self.registry.digest('team/app:1')}"
        end = self.host.cli("image", "tag", "busybox", pinned, check=False)
        self.assertEqual(end.returncode, 2)
        self.assertIn("only what is pulled", end.stderr)

    def test_a_digest_that_the_registry_has_not_is_not_there(self):
        self.pull_fails(f"{self.app}@{ABSENT}", "no such image, tag or digest", status=4)

    def test_a_registry_that_sends_another_manifest_than_was_pinned_is_caught(self):
        pinned = self.registry.digest("team/app:1")
        other = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
        self.way.rules["/manifests/sha256:"] = instead(other)
        self.pull_fails(f"{self.app}@{pinned}", "sent something else than " + pinned)

    def test_a_layer_that_is_not_what_its_digest_says_is_caught(self):
        self.way.rules[self.big] = instead(self.registry.data(self.big).read_bytes()[:-1] + b"x")
        self.pull_fails(f"{self.app}:1", "something else than its digest says")
        self.assertNotIn(self.big, self.cached())


class Interrupted(PullTest):
    def wait_for_the_base(self):
        until("the other layer is complete", lambda: self.base in self.cached())

    def test_a_registry_that_stops_in_the_middle_costs_only_what_was_not_complete(self):
        self.way.rules[self.big] = cut(1_000_000, self.wait_for_the_base)
        self.pull_fails(f"{self.app}:1", "stopped in the middle")
        self.assertIn(self.base, self.cached())
        self.way.rules.clear()
        self.pull_ok(f"{self.app}:1")
        self.assertEqual((self.way.fetched(self.base), self.way.fetched(self.big)), (1, 2))

    def test_a_cached_layer_that_was_damaged_is_fetched_again(self):
        self.way.rules[self.big] = cut(1_000_000, self.wait_for_the_base)
        self.pull_fails(f"{self.app}:1", "stopped in the middle")
        path = self.host.root / "state/images/cache/sha256" / self.base.split(":")[1]
        path.write_bytes(path.read_bytes()[:-1000] + 1000 * b"x")
        self.way.rules.clear()
        self.pull_ok(f"{self.app}:1")
        self.assertEqual(self.way.fetched(self.base), 2)

    def stalled(self, *more):
        released, began = threading.Event(), threading.Event()
        self.addCleanup(released.set)
        self.way.rules[self.big] = hold(released, began)
        process = subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "image", "pull", "--tls-verify=false", *more,
                                    f"{self.app}:1"], stderr=subprocess.PIPE, text=True)
        self.assertTrue(began.wait(PATIENCE))
        return process

    def nothing_is_left(self):
        until("skopeo ends", lambda: not any(program == "skopeo" for program, _ in processes_below(self.host.root).values()))
        self.assertIsNone(self.image(f"{self.app}:1"))

    def test_a_registry_that_sends_nothing_is_given_up(self):
        process = self.stalled("--timeout=2s")
        self.assertIn("takes longer than it may", process.communicate(timeout=PATIENCE)[1])
        self.assertEqual(process.returncode, 1)
        self.nothing_is_left()

    def test_a_pull_that_is_interrupted_leaves_nothing_but_what_is_complete(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.stalled()
            self.wait_for_the_base()
            process.send_signal(number)
            self.assertIn("interrupted", process.communicate(timeout=PATIENCE)[1])
            self.assertEqual(process.returncode, 1)
            self.nothing_is_left()
            self.assertEqual(list((self.host.root / "state/images/work").iterdir()), [])
            self.assertIn(self.base, self.cached())

    def test_a_pull_that_is_killed_takes_skopeo_along_and_the_next_goes_on(self):
        process = self.stalled()
        self.wait_for_the_base()
        process.kill()
        process.communicate()
        self.nothing_is_left()
        self.way.rules.clear()
        self.pull_ok(f"{self.app}:1")
        self.assertEqual(self.way.fetched(self.base), 1)
        self.assertEqual(list((self.host.root / "state/images/work").iterdir()), [])

    def test_what_an_interrupted_pull_has_left_can_be_pruned(self):
        self.way.rules[self.big] = cut(1_000_000, self.wait_for_the_base)
        self.pull_fails(f"{self.app}:1", "stopped in the middle")
        self.assertNotIn("removed", self.host.cli("image", "prune", "--older-than=1h").stdout)
        self.assertIn("1M of cached layers would be removed", self.host.cli("image", "prune", "--dry-run").stdout)
        self.assertIn(self.base, self.cached())
        self.assertIn("1M of cached layers were removed", self.host.cli("image", "prune").stdout)
        self.assertEqual(self.cached(), set())

    def test_on_a_terminal_it_is_shown_how_much_is_there(self):
        released, began = threading.Event(), threading.Event()
        self.addCleanup(released.set)
        self.way.rules[self.big] = hold(released, began)
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "image", "pull", "--tls-verify=false", f"{self.app}:1"],
                                   stdout=subprocess.PIPE, stderr=theirs, text=True)
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError): # the other end is closed
            while data := os.read(ours, 4096):
                seen += data
                if b"fetching, 1 of 2 layers, 1M of 3.9M" in seen:
                    released.set()
                    self.way.rules.clear()
                    process.send_signal(signal.SIGINT)
        self.assertIn(b"asking the registry", seen)
        self.assertIn(b"fetching, 1 of 2 layers, 1M of 3.9M", seen)
        process.communicate(timeout=PATIENCE)
        os.close(ours)

    def test_layers_are_not_pruned_under_a_pull(self):
        process = self.stalled()
        self.wait_for_the_base()
        said = self.host.cli("image", "prune", "--cached")
        self.assertIn("a pull is under way", said.stderr)
        self.assertIn(self.base, self.cached())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)

    def test_several_pulls_of_the_same_do_not_disturb_each_other(self):
        pulls = [subprocess.Popen([BIN / "podvisor", "--root", self.host.root, "image", "pull", "--tls-verify=false", f"{self.app}:1"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        for process in pulls:
            self.assertEqual((process.communicate(timeout=PATIENCE)[1], process.returncode), ("", 0))
        self.host.cli("image", "verify", f"{self.app}:1")


class Reasons(PullTest):
    def test_short_names_are_refused_with_the_likely_full_one(self):
        for short, full in (("busybox", "docker.io/library/busybox"), ("team/app:1", "docker.io/team/app:1")):
            self.pull_fails(short, f'did you mean "{full}"?', status=2)

    def test_what_is_no_reference_is_refused_before_anything_is_asked(self):
        for text in ("docker://example.org/x", "--", "-x/y", "example.org/x y", "example.org/x@sha256:12", "example.org/" + 300 * "x",
                     "EXAMPLE.org/x", "example.org/../x", "example.org/x:a:b"):
            end = self.host.cli("image", "pull", "--", text, check=False)
            self.assertEqual(end.returncode, 2, text)
            self.assertIn("is no reference of an image", end.stderr)

    def test_a_tag_and_an_image_that_are_not_there(self):
        self.pull_fails(f"{self.app}:nope", "no such image, tag or digest", status=4)
        self.pull_fails(f"{self.way.host}/nobody/nothing", "no such image", status=4)

    def test_a_host_that_nobody_knows_and_one_that_does_not_listen(self):
        self.pull_fails("nowhere.invalid/app", "no host of that name")
        with Way(self.registry) as gone:
            host = gone.host
        self.pull_fails(f"{host}/app", "no registry listens there")

    def test_a_registry_without_tls_is_refused_unless_that_is_allowed(self):
        end = self.host.cli("image", "pull", f"{self.app}:1", check=False)
        self.assertEqual(end.returncode, 1)
        self.assertIn("speaks without TLS", end.stderr)
        config = self.host.root / "podvisord.conf"
        config.write_text(f'insecure_registries = [ "{self.way.host}" ];\n')
        self.addCleanup(config.write_text, "")
        self.host.cli("image", "pull", f"{self.app}:1")
        refused = self.host.cli("image", "pull", "--tls-verify=true", f"{self.app}:2", check=False)
        self.assertIn("speaks without TLS", refused.stderr)

    def test_an_image_for_another_architecture_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            run("cp", "-r", self.layout.path, folder)
            run("umoci", "config", "--image", f"{folder}/layout:latest", "--architecture", "arm64")
            self.registry.push(f"{folder}/layout", "team/arm:1")
        self.pull_fails(f"{self.way.host}/team/arm:1", "an image for arm64; this host runs amd64")

    def test_of_a_list_the_one_for_this_host_is_taken_and_none_is_told(self):
        manifest = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1, "digest": self.registry.digest("team/app:1")}
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
            {**manifest, "digest": ABSENT, "platform": {"architecture": "s390x", "os": "linux"}},
            {**manifest, "platform": {"architecture": "amd64", "os": "linux"}}]}
        self.way.rules["/manifests/both"] = instead(json.dumps(index).encode(), index["mediaType"])
        self.pull_ok(f"{self.app}:both")
        self.assertEqual(self.image(f"{self.app}:both")["pulled"],
                         [f"{self.app}:both@sha256:" + hashlib.sha256(json.dumps(index).encode()).hexdigest()])
        del index["manifests"][1]
        self.way.rules["/manifests/none"] = instead(json.dumps(index).encode(), index["mediaType"])
        self.pull_fails(f"{self.app}:none", "an image for s390x; this host runs amd64")

    def test_a_manifest_that_is_none_is_refused(self):
        for body, words in ((b"{", "not JSON"), (b"{}", "no image of a container"), (b'{"manifests":[]}', "is empty"),
                            (b'{"schemaVersion":1,"fsLayers":[]}', "the first kind that Docker had"),
                            (b'{"config":{"digest":"sha256:../../x","size":1},"layers":[]}', "without a usable SHA-256"),
                            (b'{"config":{"digest":"' + ABSENT.encode() + b'","size":-1},"layers":[]}', "without a usable size")):
            self.way.rules["/manifests/bad"] = instead(body, "application/vnd.oci.image.manifest.v1+json")
            self.pull_fails(f"{self.app}:bad", words)


class Policy(PullTest):
    """podvisord has images pulled for pods."""
    def setUp(self):
        super().setUp()
        self.configure()

    def configure(self, more=""):
        """What podvisord reads when it starts."""
        (self.host.root / "podvisord.conf").write_text(f'insecure_registries = [ "{self.way.host}" ];\n{more}')
        self.host.kill(signal.SIGTERM)
        self.host.start()

    def declare(self, name, tag="1", policy="missing"):
        self.host.write(name, f'containers = ( {{ name = "app"; image = "{self.app}:{tag}"; pull = "{policy}"; }} );')

    def test_an_image_that_is_missing_is_pulled_and_the_pod_starts(self):
        self.declare("web")
        self.host.wait("web")
        until("its program speaks", lambda: "I was pulled" in self.host.cli("logs", "web").stdout)
        self.assertIsNotNone(self.image(f"{self.app}:1"))
        self.assertEqual(list((self.host.run / "pulls").iterdir()), [])

    def test_while_it_is_pulled_the_pod_says_so_and_podvisord_answers(self):
        released, began = threading.Event(), threading.Event()
        self.addCleanup(released.set)
        self.way.rules[self.big] = hold(released, began)
        self.declare("web")
        self.assertTrue(began.wait(PATIENCE))
        self.assertIn("it is being pulled", self.host.page("web"))
        self.assertEqual(self.host.status("web")["state"], "waiting")
        until("the other layer is complete", lambda: self.base in self.cached())
        self.way.rules.clear()
        # podvisord that is started anew asks for it anew, beside the puller that was left; what is complete is fetched once.
        self.host.kill()
        self.host.start()
        self.host.wait("web")
        self.assertEqual(self.way.fetched(self.base), 1)

    def test_why_it_cannot_be_pulled_is_what_the_pod_waits_for(self):
        self.declare("web", tag="nope")
        until("the failure is told", lambda: "no such image, tag or digest" in self.host.page("web"))
        self.assertEqual(self.host.status("web")["missing_image"], f"{self.app}:nope")
        self.assertIn("no such image, tag or digest", (self.host.root / "podvisord.out").read_text())
        # Once it is there, an operator need not wait for the next try.
        self.registry.push(self.layout.path, "team/app:nope")
        self.host.cli("start", "web")

    def test_what_two_pods_want_is_pulled_once(self):
        self.declare("one")
        self.declare("two")
        self.host.wait("one", "two")
        self.assertEqual((self.way.fetched(self.base), self.way.fetched(self.big)), (1, 1))

    def test_a_puller_that_is_killed_is_told(self):
        released, began = threading.Event(), threading.Event()
        self.addCleanup(released.set)
        self.way.rules[self.big] = hold(released, began)
        self.declare("web")
        self.assertTrue(began.wait(PATIENCE))
        puller = next(pid for pid, (program, _) in processes_below(self.host.root).items() if program == "podvisor-puller")
        os.kill(puller, signal.SIGKILL)
        until("the failure is told", lambda: "killed by signal 9" in self.host.page("web"))
        self.way.rules.clear()
        self.host.cli("start", "web")

    def test_a_pull_ends_by_its_timeout(self):
        self.configure('pull_timeout = "2s";\n')
        released, began = threading.Event(), threading.Event()
        self.addCleanup(released.set)
        self.way.rules[self.big] = hold(released, began)
        self.declare("web")
        until("the failure is told", lambda: "takes longer than it may" in self.host.page("web"))

    def test_a_newer_image_is_taken_at_the_next_start(self):
        self.registry.push(self.layout.path, "team/app:moves")
        self.declare("web", tag="moves", policy="newer")
        self.host.wait("web")
        before = self.image(f"{self.app}:moves")["record"]["digest"]
        self.host.cli("restart", "web")
        self.assertEqual(self.image(f"{self.app}:moves")["record"]["digest"], before)
        with tempfile.TemporaryDirectory() as folder:
            run("cp", "-r", self.layout.path, folder)
            run("umoci", "config", "--image", f"{folder}/layout:latest", "--config.env", "NEWER=yes")
            self.registry.push(f"{folder}/layout", "team/app:moves")
        self.host.cli("restart", "web")
        self.assertEqual(self.host.sh("web", "echo $NEWER").stdout, "yes\n")
        self.assertEqual(self.way.fetched(self.big), 1)

    def test_a_registry_that_is_away_does_not_keep_what_is_here_from_starting(self):
        self.declare("web", policy="newer")
        self.host.wait("web")
        self.way.rules["/manifests/"] = cut(0)
        self.host.cli("restart", "web")
        self.assertIn("stopped in the middle", (self.host.root / "podvisord.out").read_text())

    def test_without_the_key_nothing_is_pulled(self):
        self.declare("web", policy="never")
        until("it waits", lambda: "there is no image" in self.host.page("web"))
        self.assertEqual(self.way.asked, [])

    def test_a_short_name_cannot_be_pulled(self):
        pod = self.folder / "short.pod"
        pod.write_text('containers = ( { name = "app"; image = "busybox"; pull = "missing"; } );')
        end = self.host.cli("check", pod, check=False)
        self.assertEqual(end.returncode, 1)
        self.assertIn('"docker.io/library/busybox"', end.stderr + end.stdout)


class Credentials(PullTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.closed = cls.enterClassContext(Registry(cls.folder / "closed", users={"anna": "secret-of-anna"}))
        cls.closed.push(cls.layout.path, "app:1", "--dest-creds=anna:secret-of-anna")

    def pull_with(self, auth, **environment):
        path = self.folder / "auth.json"
        if auth:
            run("skopeo", "login", "--tls-verify=false", "--authfile", path, "-u", "anna", "-p", auth, self.closed.host)
        return subprocess.run([BIN / "podvisor", "--root", self.host.root, "image", "pull", "--tls-verify=false", f"{self.closed.host}/app:1"],
                              capture_output=True, text=True, timeout=PATIENCE, env={"PATH": os.environ["PATH"], **environment})

    def test_credentials_are_found_where_container_tools_keep_them(self):
        self.assertEqual(self.pull_with("secret-of-anna", REGISTRY_AUTH_FILE=str(self.folder / "auth.json")).returncode, 0)
        for name, place in (("XDG_RUNTIME_DIR", "containers/auth.json"), ("HOME", ".docker/config.json")):
            self.empty()
            home = self.folder / name
            (home / place).parent.mkdir(parents=True)
            (home / place).write_text((self.folder / "auth.json").read_text())
            end = self.pull_with(None, **{name: str(home)})
            self.assertEqual(end.returncode, 0, end.stderr)

    def test_without_credentials_or_with_wrong_ones_it_is_said_what_is_wanted(self):
        end = self.pull_with(None, HOME=str(self.folder))
        self.assertEqual(end.returncode, 1)
        self.assertIn("skopeo login", end.stderr)
        wrong = self.folder / "wrong.json"
        wrong.write_text(json.dumps({"auths": {self.closed.host: {"auth": "YW5uYTp3cm9uZy1zZWNyZXQ="}}}))
        end = self.pull_with(None, REGISTRY_AUTH_FILE=str(wrong))
        self.assertEqual(end.returncode, 1)
        self.assertIn("credentials", end.stderr)
        self.assertNotIn("wrong-secret", end.stderr + end.stdout)


class Tls(PullTest):
    def test_a_certificate_counts_only_if_this_host_trusts_it(self):
        name = self.folder / "tls"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.crt")
        with Registry(self.folder / "closed", certificate=name) as registry:
            registry.push(self.layout.path, "app:1")
            end = self.host.cli("image", "pull", f"{registry.host}/app:1", check=False)
            self.assertEqual(end.returncode, 1)
            self.assertIn("certificate is not trusted", end.stderr)
            subprocess.run([BIN / "podvisor", "--root", self.host.root, "image", "pull", f"{registry.host}/app:1"], check=True,
                           stdout=subprocess.DEVNULL, timeout=PATIENCE, env={**os.environ, "SSL_CERT_FILE": f"{name}.crt"})


if __name__ == "__main__":
    unittest.main()
