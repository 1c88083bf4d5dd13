"""Our plugin of Cyrus SASL is looked for where smtp(8) looks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dms_relay.postfix import sasl_plugin

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_usual_directory() -> None:
    """Without SASL_PATH it is the directory that Cyrus SASL was built with, which on Debian names the architecture."""
    (directory,) = sasl_plugin.directories()
    assert directory == f"/usr/lib/{sys.implementation._multiarch}/sasl2"  # noqa: SLF001


def test_a_foreign_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that does not say the architecture finds the same directory."""
    before = sasl_plugin.directories()
    monkeypatch.setattr(sys, "implementation", object())
    assert sasl_plugin.directories() == before


def test_sasl_path() -> None:
    """SASL_PATH counts where main.cf lets it through: with a value, or by name from Postfix's own environment."""
    own = {"SASL_PATH": "/own:/more"}
    for import_environment, expected in {
        "TZ, SASL_PATH=/a::/b, LANG=C": ("/a", "/b"),
        "TZ SASL_PATH": ("/own", "/more"),
        "{SASL_PATH=/a}": ("/a",),
        "TZ LANG=C": sasl_plugin.directories(),
        "XSASL_PATH=/a": sasl_plugin.directories(),
    }.items():
        assert sasl_plugin.directories(import_environment, own) == expected
    assert sasl_plugin.directories("SASL_PATH", {}) == sasl_plugin.directories()


def test_missing(tmp_path: Path) -> None:
    """Where it is in none of the directories, the path in the first one is said."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    imported = f"SASL_PATH={tmp_path}/first:{tmp_path}/second"
    assert sasl_plugin.missing(imported) == f"{tmp_path}/first/libdmsrelayoauth2.so"
    assert not sasl_plugin.is_there(imported)
    (tmp_path / "second/libdmsrelayoauth2.so").touch()
    assert sasl_plugin.missing(imported) == ""
    assert sasl_plugin.is_there(imported)


def test_others(tmp_path: Path) -> None:
    """Other plugins for these mechanisms are named; ours, those for passwords and a directory that is not there are not."""
    for name in ("libsasl-xoauth2.so", "libplain.so", "libdmsrelayoauth2.so", "libxoauth2.la"):
        (tmp_path / name).touch()
    imported = f"SASL_PATH={tmp_path}:{tmp_path}/none"
    assert sasl_plugin.others(imported) == (f"{tmp_path}/libsasl-xoauth2.so",)
