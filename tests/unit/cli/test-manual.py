#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual has no mistakes of form, and knows every verb, option, key and state that the programs know."""
import os, re, subprocess, sys, unittest

PODVISOR, PODVISORD, PAGES = sys.argv[1], sys.argv[2], {os.path.basename(p): p for p in sys.argv[3:]}
# Of other projects, on every host that podvisor is for.
OTHERS = ("busctl.1", "libvirtd.8", "passt.1", "pkttyagent.1", "polkit.8", "sd_bus_path_encode.3", "virsh.1")
# Without a root of its own, a podvisor on this host would be asked.
ENVIRONMENT = {"PATH": os.environ["PATH"], "PODVISOR_ROOT": "/nonexistent", "LC_ALL": "C.UTF-8"}


def podvisor(*words):
    return subprocess.run([PODVISOR, *words], env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout


def page(name):
    return open(PAGES[name]).read()


def text(name):
    return subprocess.run(["mandoc", "-T", "utf8", "-O", "width=100000", PAGES[name]], check=True, capture_output=True,
                          text=True).stdout.replace("\b", "")


def verbs():
    return re.findall(r"^  ([a-z]+(?: (?:import|pull|list|remove|prune|tag|verify|show))?)\b",
                      podvisor("--help").split("Options:")[0].split("Verbs:")[1], re.M)


def keys(*group):
    listed = podvisor("explain", *group).split("Keys:\n")
    return re.findall(r"^  ([a-z_]+) ", listed[1], re.M) if len(listed) > 1 else []


def all_keys(prefix=""):
    for key in keys(*([prefix[:-1]] if prefix else [])):
        yield prefix + key
        yield from all_keys(prefix + key + ".")


class Manual(unittest.TestCase):
    def test_no_page_has_a_mistake_of_form(self):
        for name, path in PAGES.items():
            said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True)
            self.assertEqual(said.stdout + said.stderr, "", name)

    def test_every_verb_and_its_options_are_in_the_manual(self):
        manual, names = page("podvisor.1"), verbs()
        self.assertGreater(len(names), 20)
        for verb in names:
            self.assertRegex(manual, rf"(?m)^\.It Cm {verb}( |$)")
            for option in re.findall(r"--([a-z-]+)", podvisor(*verb.split(), "--help").split("Options:")[1]):
                self.assertRegex(manual, rf"(?m)^\.It .*Fl -{option}\b", f"{verb} --{option}")

    def test_every_key_of_a_pod_file_is_in_the_manual(self):
        manual, known = page("podvisor.pod.5"), list(all_keys())
        self.assertGreater(len(known), 40)
        for key in known:
            self.assertIn(f"\n.It Ic {key}\n", manual)

    def test_every_key_of_podvisord_conf_is_in_the_manual(self):
        for key in keys("--daemon"):
            self.assertIn(f"\n.It Ic {key}\n", page("podvisord.conf.5"))

    def test_every_option_of_podvisord_is_in_the_manual(self):
        said = subprocess.run([PODVISORD, "--help"], check=True, capture_output=True, text=True).stdout
        options = re.findall(r"(?m)^  --([a-z-]+)", said)
        self.assertIn("root", options)
        for option in options:
            self.assertRegex(page("podvisord.8"), rf"(?m)^\.It Fl -{option}\b")
        for signal in re.findall(r"SIG[A-Z]+", said):
            self.assertIn(signal, page("podvisord.8"))

    def test_every_state_that_one_can_wait_for_is_in_the_manual(self):
        words = subprocess.run([PODVISOR, "wait", "x", "--for=?"], env=ENVIRONMENT, capture_output=True, text=True).stderr
        for state in re.findall(r"[a-z]+", words.split("expected ")[1].split("\n")[0].replace(" or ", ", ")):
            if state not in ("stopped", "gone"):
                self.assertIn(f"\n.It Cm {state}\n", page("podvisor.7"))

    def test_nothing_is_left_to_fill_in(self):
        for name in PAGES:
            self.assertNotRegex(page(name), r"(?m)^@")

    def test_pages_refer_to_pages_that_are_there(self):
        for name in PAGES:
            for target, section in re.findall(r"(?m)^\.Xr (\S+) ([0-9])", page(name)):
                self.assertIn(f"{target}.{section}", {*PAGES, *OTHERS})


unittest.main(argv=sys.argv[:1])
