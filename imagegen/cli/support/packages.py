"""Debian packages: which are missing, and installing them with apt-get, as root or through sudo."""

import os
import shutil
import subprocess
import sys

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import run_logged, say, start


def installed(names: list[str]) -> dict[str, str]:
    """Installed version by name, for those that are completely installed. Errors: CommandError when this is not Debian."""
    if not shutil.which("dpkg-query") or not shutil.which("apt-get"):
        raise CommandError("dpkg-query or apt-get is missing: this is not a Debian system, or PATH is wrong",
                           "capOS is built on Debian 12; run it there, or in a container or virtual machine with it")
    query = start(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev} ${Version}\n", *names], stdout=subprocess.PIPE,
                  stderr=subprocess.DEVNULL)
    output, _ = query.communicate()
    rows = (line.split() for line in output.decode().splitlines())
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "ii"}


def install(names: list[str]) -> None:
    """Errors: CommandError when there are no rights, or apt-get fails; then only part is installed, and a repeat goes on."""
    say(f"installing {len(names)} Debian packages: {' '.join(names)}")
    prefix = _rights(names)
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    go_on = "check the network and /etc/apt/sources.list, then run ./capos setup again"
    try:
        run_logged([*apt, "update"], "updating Debian's package lists", "setup-apt-update", how_to_go_on=go_on)
    except CommandError as error:
        # One unreachable list, say of another vendor, need not matter: the installation below is what counts.
        say(f"  {error.what}; trying to install with the lists there are")
    run_logged([*apt, "install", "-y", "--no-install-recommends", *names], "installing packages", "setup-apt-install",
               expected="about a minute", how_to_go_on=go_on)


def _rights(names: list[str]) -> list[str]:
    if os.geteuid() == 0:
        return []
    by_hand = f"as root, run: apt-get install --no-install-recommends {' '.join(names)}; then run ./capos setup again"
    if not shutil.which("sudo"):
        raise CommandError("installing packages needs root, and there is no sudo", by_hand)
    ask = ["sudo", "-v"] if sys.stdin.isatty() else ["sudo", "-n", "-v"]
    if start(ask).wait() != 0:
        raise CommandError("installing packages needs root, and sudo refused", by_hand)
    return ["sudo"]
