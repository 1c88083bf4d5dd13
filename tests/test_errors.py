"""What an error knows is in its fields; its message is one line, text and remedy."""

from __future__ import annotations

import os
import sys
from errno import EACCES, EBUSY, ENOENT, ENOEXEC
from typing import TYPE_CHECKING

import pytest

from dms_relay.errors import BusyError, PostfixError, RelayError, UsageError, WriteError
from dms_relay.files.content import read_whole
from dms_relay.model import Paths
from dms_relay.plan.found import AS_ROOT, find
from dms_relay.postfix.programs import Postfix
from tests.support.scene import programs_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox


@pytest.mark.parametrize("kind", [UsageError, PostfixError, WriteError, BusyError])
def test_message(kind: type[RelayError]) -> None:
    """The message is text and remedy, or the text alone."""
    error = kind("it is wrong", "write another", errno=EACCES)
    assert (str(error), error.text, error.remedy, error.errno) == (
        "it is wrong -- write another",
        "it is wrong",
        "write another",
        EACCES,
    )
    assert str(kind("it is wrong")) == "it is wrong"


def test_a_missing_program(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is there, and that it is not: it never ran."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PostfixError) as caught:
        Postfix(sandbox.postfix_dir).parameters()
    error = caught.value
    assert (error.program, error.errno, error.program_code, error.reason) == ("postconf", ENOENT, None, "")


REASONS = {
    f"fatal: open /x: {os.strerror(EACCES)}": EACCES,
    f"fatal: rename /x: {os.strerror(EBUSY)}": EBUSY,
    "fatal: something else": None,
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_failed_program(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    """Its exit code is there, and its reason, with the system error that the reason names."""
    programs = programs_with(tmp_path, postconf=f"echo 'postconf: {reason}' >&2; exit 3")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    with pytest.raises(PostfixError) as caught:
        Postfix(sandbox.postfix_dir).parameters()
    error = caught.value
    assert (error.program, error.program_code, error.errno) == ("postconf", 3, REASONS[reason])
    assert error.reason == f"postconf: {reason}"


def test_a_program_that_cannot_start(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of the system's error is there, and no exit code."""
    directory = programs_with(tmp_path, postconf="exit 0")
    (directory / "postconf").write_bytes(b"\x7fELF, and no program")
    monkeypatch.setenv("PATH", str(directory))
    with pytest.raises(PostfixError) as caught:
        Postfix(sandbox.postfix_dir).parameters()
    error = caught.value
    assert (error.program, error.program_code) == ("postconf", None)
    assert error.errno == ENOEXEC


def test_an_unreadable_file(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of the system's error tells a missing right from a damaged file."""
    sandbox.apply(DEFAULT_RELAY_HOST="[r.test]")

    def refuse(path: Path, limit: int) -> bytes:
        if path.name == "sasl_passwd" or path.suffix == ".json":
            raise PermissionError(EACCES, os.strerror(EACCES))
        return read_whole(path, limit)

    monkeypatch.setattr(sys.modules["dms_relay.plan.found"], "read_whole", refuse)
    with pytest.raises(WriteError) as caught:
        find(Paths(sandbox.config_dir, sandbox.postfix_dir))
    assert (caught.value.errno, caught.value.remedy) == (EACCES, AS_ROOT)
