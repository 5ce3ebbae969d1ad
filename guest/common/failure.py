# SPDX-License-Identifier: Apache-2.0
"""How the programs that build the guest say what went wrong, and run other programs."""
import subprocess


class Failure(Exception):
    """What went wrong, in words for the person who runs this."""


def run(command, what, **options):
    """Runs a command and returns what it printed; what it complained of becomes part of the failure."""
    try:
        return subprocess.run(command, check=True, capture_output=True, **options).stdout
    except FileNotFoundError:
        raise Failure(f"{what}: {command[0]} is not installed; tools/bootstrap installs it") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip() or f"exit status {error.returncode}"
        raise Failure(f"{what}: {said}") from None
