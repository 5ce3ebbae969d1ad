# SPDX-License-Identifier: Apache-2.0
"""Debian's package of the kernel: from the cache, or by apt into the cache."""
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

from failure import Failure, run

METAPACKAGE = "linux-image-cloud-amd64"


def note(text):
    print(f"guest/kernel: {text}", file=sys.stderr)


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def apt_record(package):
    """The newest version's record in apt's lists, as a dict of its one-line fields."""
    text = run(["apt-cache", "show", "--no-all-versions", package], f"apt knows no package {package}").decode()
    return dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", text, re.MULTILINE))


def resolve():
    """What the metapackage stands for today: (file name, name=version, SHA-256)."""
    depends = apt_record(METAPACKAGE).get("Depends", "")
    found = re.search(r"linux-image-[^\s,]+", depends)
    if not found:
        raise Failure(f"{METAPACKAGE} depends on no kernel, but on \"{depends}\"")
    record = apt_record(found[0])
    version = record["Version"]
    return f"{found[0]}_{version.replace(':', '%3a')}_amd64.deb", f"{found[0]}={version}", record["SHA256"]


def download(cache, file_name, package, sha256):
    """Downloads into a directory of its own first: the cache never holds half a package."""
    note(f"downloading {package}")
    with tempfile.TemporaryDirectory(dir=cache) as work:
        # As root apt would download as a user of its own, who cannot write here.
        run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], f"cannot download {package}",
            cwd=work)
        got = pathlib.Path(work, file_name)
        if not got.exists():
            raise Failure(f"apt has downloaded {package}, but not as {file_name}")
        if sha256_of(got) != sha256:
            raise Failure(f"{file_name} has not the SHA-256 {sha256} that apt's lists give")
        got.rename(cache / file_name)
    return cache / file_name


def is_newer(path, than):
    versions = [p.name.split("_")[1].replace("%3a", ":") for p in (path, than)]
    return subprocess.run(["dpkg", "--compare-versions", versions[0], "gt", versions[1]], check=False).returncode == 0


def newest_cached(cache):
    """The newest package in the cache by Debian's order of versions, or None."""
    newest = None
    for path in sorted(cache.glob("linux-image-*-cloud-amd64_*_amd64.deb")):
        if newest is None or is_newer(path, newest):
            newest = path
    return newest


def fetch(cache):
    """The current package. Where apt cannot give it, the newest in the cache, and that is said."""
    cache.mkdir(parents=True, exist_ok=True)
    try:
        file_name, package, sha256 = resolve()
        cached = cache / file_name
        if cached.exists() and sha256_of(cached) == sha256:
            return cached
        return download(cache, file_name, package, sha256)
    except Failure as failure:
        cached = newest_cached(cache)
        if cached is None:
            raise Failure(f"{failure}\n(no network, or apt's lists are old or empty? `apt-get update` renews them; "
                          f"{cache} holds no kernel package to use instead)") from None
        note(f"{failure}; using {cached.name} from {cache}")
        return cached
