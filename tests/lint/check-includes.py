#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes go one way (doc/ARCHITECTURE.md), and each foreign library has one door."""
import pathlib, re, sys

# What all backends share.
BACKENDS = {f"backends/{name}.h" for name in ("backend", "abilities", "abilities-libvirt", "accelerator", "console", "disk-file", "oom", "share-process", "tsc", "uplink",
                                             "vmm")}
ALLOWED = {
    "base": {"base"},
    "archive": {"base", "archive"},
    "schemas": {"base", "schemas"},
    "backends/*": {"base", "schemas", "OWN"} | BACKENDS,
    "backends": {"base", "schemas"} | BACKENDS,
    "runner": {"base", "schemas", "runner", "backends/backend.h"},
    "images": {"base", "schemas", "images"},
    "uplink": {"base", "schemas", "uplink"},
    "supervisor": {"base", "schemas", "images", "backends/abilities.h", "supervisor"},
    "cli": {"archive", "base", "schemas", "images", "backends/abilities.h", "cli"},
    "guest/agent": {"archive", "base", "guest/agent", "schemas"},
    "doc": {"base", "schemas", "cli", "backends/abilities.h", "backends/backend.h", "runner/recovery.h", "supervisor", "doc"},
}
# What the guest may use of schemas/: its protocol and the tables that this needs, never the files and doors of the host.
GUEST_SCHEMAS = {"agent.h", "confinement.h", "device.h", "formats.h", "frame.h", "message.h", "pod-definition.h", "probe-definition.h", "report.h",
                 "runner-protocol.h", "schema.h", "statistics.h", "stream.h", "task.h"}
# The files that may include a header of a library; all others go through them.
DOORS = {
    "libconfig.h": {"schemas/schema-config.c"},
    "msgpack.h": {"base/pack.c"},
    "jansson.h": {"schemas/schema-json.c", "schemas/schema-json-read.c", "backends/qemu/", "images/oci-", "runner/log-line.c"},
    "libvirt/": {"backends/libvirt/"},
    "expat.h": {"backends/libvirt/domain-fragment.c"},
    "seccomp.h": {"guest/agent/seccomp-compile.c", "uplink/guard.c"},
    "sha2.h": {"base/digest.c"},
    "zlib.h": {"base/digest.c"},
    "systemd/sd-bus.h": {"schemas/schema-bus.", "supervisor/", "cli/"},
    "systemd/sd-journal.h": {"cli/"},
}

root = pathlib.Path(sys.argv[1])
errors = []


def folder_rule(path):
    parts = path.parts
    if parts[0] == "backends" and len(parts) > 2:
        return "backends/*", "/".join(parts[:2])
    if parts[0] == "guest":
        return "guest/agent", "guest/agent"
    return parts[0], parts[0]


files = [p for f in ("archive", "base", "schemas", "backends", "runner", "uplink", "images", "supervisor", "cli", "guest", "doc")
         for p in (root / f).rglob("*.[ch]")]
for file in files:
    path = file.relative_to(root)
    rule, own = folder_rule(path)
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if m := re.match(r'\s*#\s*include\s+"([^"]+)"', line):
            target = m[1]
            allowed = any(target == a or target.startswith((own if a == "OWN" else a) + "/") for a in ALLOWED[rule])
            if rule == "guest/agent" and target.startswith("schemas/"):
                allowed = target.removeprefix("schemas/") in GUEST_SCHEMAS
            if not allowed:
                errors.append(f"{path}:{number}: {own} may not include {target}")
        elif m := re.match(r"\s*#\s*include\s+<([^>]+)>", line):
            for header, doors in DOORS.items():
                if m[1].startswith(header) and not any(str(path).startswith(d) for d in doors):
                    errors.append(f"{path}:{number}: <{m[1]}> is included by {', '.join(sorted(doors))} only")

print("\n".join(errors) or f"{len(files)} files include only what they may")
sys.exit(bool(errors) or not files)
