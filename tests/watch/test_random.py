"""Random changes of all inputs, in all ways, and kills: what is in force at the end is what a first boot would make."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.amounts import Figures, amount
from tests.watch.keeping import wait_until
from tests.watch.test_changes import ROUTE, rename, rewrite, swap

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.watch.keeping import Keeping

#: Changes, of which there are ten a second.
CHANGES = amount(60, 1000)
PAUSE = 0.1
TEXTS = {
    "postfix-relaymap.cf": [ROUTE.format("a"), ROUTE.format("b"), "@out.test\n", "@wrong [\n", "", "@half.te"],
    "postfix-sasl-password.cf": ["[d.test]:587 v:one\n", "@a.test w:two\n", "@x.test nothing\n", ""],
    "relay.env": ["RELAY_HOST=r.test\n", "RELAY_HOST=r.test:99999\n", "# nothing\n"],
    "postfix-main.cf": ["relayhost = [own]:25\n", "\n"],
    "postfix-accounts.cf": ["a@m.test|{PLAIN}x\n", "a@m.test|{PLAIN}x\nb@n.test|{PLAIN}y\n"],
    "../../secret": ["one\n", "two\n", ""],
}
WAYS = (rename, rewrite, swap)
#: With these, the inputs are right in the end.
LAST = {
    "postfix-relaymap.cf": ROUTE.format("last"),
    "postfix-sasl-password.cf": "@last.test l:last\n",
    "relay.env": "RELAY_HOST=r.test\n",
}


def change(directory: Path, drawn: Random) -> None:
    """Change something."""
    name = drawn.choice(list(TEXTS))
    path = directory / name
    what = drawn.random()
    if what < 0.15:
        path.unlink(missing_ok=True)
    elif what < 0.2:
        directory.chmod(0o777)
    elif what < 0.3:
        directory.chmod(0o755)
    else:
        way = drawn.choice(WAYS[:2] if "/" in name else WAYS)
        way(path, drawn.choice(TEXTS[name]))


def kill(keeping: Keeping, drawn: Random) -> None:
    """Kill the keeper, or what works for it."""
    children = keeping.record().get("children") or {}
    if children and drawn.random() < 0.7:
        with suppress(ProcessLookupError):
            os.killpg(drawn.choice(list(children.values())), signal.SIGKILL)
    else:
        keeping.restart()


@pytest.mark.long
@pytest.mark.soak
def test_ends_where_a_first_boot_would(keeping: Keeping, drawn: Random, figures: Figures) -> None:
    """After the last of many changes, with kills in between, all is as a first boot with these inputs makes it."""
    keeping.start("--interval", "2")
    directory = keeping.sandbox.config_dir
    for number in range(CHANGES):
        with suppress(FileNotFoundError):
            change(directory, drawn)
        if drawn.random() < 0.02:
            kill(keeping, drawn)
        time.sleep(0 if number % 7 == 0 else PAUSE)
    directory.chmod(0o755)
    for name in TEXTS:
        (directory / name).unlink(missing_ok=True)
    for name, text in {**LAST, "../../secret": "last\n"}.items():
        rename(directory / name, text)
    seconds = keeping.settle()
    wait_until(lambda: keeping.health() == ["ok"], f"all is well: {keeping.health()}")
    assert keeping.machine() == keeping.first_boot()
    figures(CHANGES, "random changes that a keeper looked at")
    figures(round(1000 * seconds), "milliseconds from the last of them until it was in force")
