"""The addresses of network interfaces, while interfaces come and go, as those of containers that start and end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.support.scene import ROOT, needs_root

#: The kernel's answer names both interfaces by their numbers. One is gone when its name is asked for.
SCRIPT = """\
import subprocess
from dms_relay.interfaces import addresses

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

for number, name in enumerate(("first", "second", "third"), 1):
    ip(f"link add {name} type veth peer name {name}-peer")
    ip(f"address add 192.0.2.{number}/32 dev {name}")
found = addresses()
names = [next(found).interface]
ip("link delete second")
print(*names, *(address.interface for address in found))
"""


def test_an_interface_that_goes() -> None:
    """An interface that goes while addresses are read has none; those of the others are told."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "ip"))):
        needs_root("a network of its own needs root, unshare and ip")
    command = ["unshare", "--net", sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        needs_root(f"no network of its own can be set up here: {done.stderr[-200:]}")
    assert (done.stdout, done.stderr) == ("first third\n", "")
