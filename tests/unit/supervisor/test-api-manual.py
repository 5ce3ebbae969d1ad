#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the description of the API, the sources and polkit's policy name, org.podvisor.Supervisor1(5) documents."""
import pathlib, re, sys, unittest, xml.etree.ElementTree as tree

ROOT = pathlib.Path(sys.argv[1])
PAGE, = [pathlib.Path(page).read_text() for page in sys.argv[2:] if page.endswith("/org.podvisor.Supervisor1.5")]
XML = tree.parse(ROOT / "schemas/org.podvisor.Supervisor1.xml").getroot()


def section(interface):
    return PAGE.split(f".Sh INTERFACE {interface}\n", 1)[1].split("\n.Sh ", 1)[0]


class Manual(unittest.TestCase):
    def test_every_interface_has_its_section(self):
        described = [interface.get("name") for interface in XML]
        self.assertEqual(re.findall(r"^\.Sh INTERFACE (.*)$", PAGE, re.M), described)

    def test_every_method_stands_there_with_its_arguments(self):
        for interface in XML:
            text = section(interface.get("name"))
            for method in interface.iter("method"):
                taken = [f'"{a.get("type")} {a.get("name")}"' for a in method if a.get("direction") == "in"]
                given = [f'"{a.get("type")} {a.get("name")}"' for a in method if a.get("direction") == "out"]
                entry = text.split(" ".join([f"\n.It Fn {method.get('name')}", *taken]) + "\n", 1)[1].split("\n.It ")[0]
                self.assertEqual(bool(given), "\nReturns\n" in entry, method.get("name"))
                self.assertIn(" ".join([".Fa", *given]) if given else "", entry)
                self.assertRegex(entry, r"\.Sy org\.podvisor\.[a-z]+ \.")

    def test_every_property_stands_there_with_its_type_and_a_sentence(self):
        for interface in XML:
            text = section(interface.get("name"))
            for property in interface.iter("property"):
                self.assertRegex(text, rf"(?m)^\.It Va {property.get('name')} Pq Vt {re.escape(property.get('type'))} .*\n[A-Z\\]")

    def test_every_error_of_podvisord_stands_there(self):
        sources = "".join(path.read_text() for path in (ROOT / "supervisor").glob("*.c"))
        used = set(re.findall(r'"(org\.podvisor\.Error\.[A-Za-z]+)"', sources))
        self.assertGreater(len(used), 5)
        self.assertEqual(used, {error for error in re.findall(r"^\.It Er (.*)$", PAGE, re.M) if error.startswith("org.podvisor.")})

    def test_every_action_of_polkit_stands_there(self):
        policy = tree.parse(ROOT / "packaging/polkit/org.podvisor.policy").getroot()
        for action in policy.iter("action"):
            self.assertIn(f"\n.It Sy {action.get('id')}\n", PAGE)


unittest.main(argv=sys.argv[:1])
