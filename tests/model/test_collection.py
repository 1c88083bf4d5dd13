"""The library reads and merges without garbage collection, and leaves the collector as it was."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from dms_relay import InputError, Paths, find, merge, plan, read, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox import Sandbox


@pytest.fixture
def collections() -> Iterator[list[str]]:
    """Have the collector on, and return a list that grows with each of its runs."""
    runs: list[str] = []

    def note(phase: str, _info: object) -> None:
        runs.append(phase)

    was_on, threshold = gc.isenabled(), gc.get_threshold()
    gc.enable()
    gc.set_threshold(700, 10, 10)  # Python's default; the tests themselves have a higher one
    gc.callbacks.append(note)
    yield runs
    gc.callbacks.remove(note)
    gc.set_threshold(*threshold)
    (gc.enable if was_on else gc.disable)()


def inputs(sandbox: Sandbox) -> Paths:
    """Write many logins, each of them used."""
    numbers = range(5000)
    sandbox.write("postfix-relaymap.cf", "".join(f"a{number}@a.test [r{number}.test]:587\n" for number in numbers))
    sandbox.write("postfix-sasl-password.cf", "".join(f"[r{number}.test]:587 user:password\n" for number in numbers))
    return Paths(sandbox.config_dir, sandbox.postfix_dir)


def test_nothing_is_collected(sandbox: Sandbox, collections: list[str]) -> None:
    """No run of the collector in 5,000 logins, which make some hundred thousand values; afterwards it is on."""
    paths = inputs(sandbox)
    found = find(paths)
    collections.clear()
    plan(render(merge(read(paths, {})), paths), found)
    assert collections == []
    assert gc.isenabled()


@pytest.mark.usefixtures("collections")
def test_it_is_on_after_an_error(sandbox: Sandbox) -> None:
    """An error in the inputs is no reason to leave it off."""
    sandbox.write("postfix-relaymap.cf", "a@a.test [r.test\n")
    with pytest.raises(InputError):
        merge(read(Paths(sandbox.config_dir, sandbox.postfix_dir), {}))
    assert gc.isenabled()


def test_it_stays_off(sandbox: Sandbox, collections: list[str]) -> None:
    """Whoever turned it off finds it off."""
    gc.disable()
    merge(read(inputs(sandbox), {}))
    assert not gc.isenabled()
    assert collections == []
