"""The logins in force, as ``renew`` finds them."""

from __future__ import annotations

import os
from stat import S_IMODE
from typing import TYPE_CHECKING

import pytest

from dms_relay.model.oauth2 import OAuth2
from dms_relay.tokens.in_force import InForce, load, save
from tests.tokens.test_store import put

if TYPE_CHECKING:
    from pathlib import Path

_ALL = OAuth2(*(f"{name}-x" for name in OAuth2.__annotations__))
_LOGIN = InForce(
    "a1", "m365", "me@example.test", _ALL, (("relay.d/m365_passwd", "[smtp.test]:587"), ("t", "@example.test"))
)


def test_every_field_is_there_again(tmp_path: Path) -> None:
    """Secrets, too: a renewal needs them; so nobody else reads the file."""
    save(tmp_path / "state", [_LOGIN, InForce("a0", "other", "u", _ALL)])
    assert load(tmp_path / "state") == (InForce("a0", "other", "u", _ALL), _LOGIN)
    assert S_IMODE((tmp_path / "state" / "logins.json").stat().st_mode) == 0o600
    assert S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_same_logins_are_not_written_again(tmp_path: Path) -> None:
    """The keeper looks at the file's time."""
    assert save(tmp_path, [_LOGIN])
    assert not save(tmp_path, [_LOGIN])
    assert save(tmp_path, [])
    assert not save(tmp_path, [])
    assert not (tmp_path / "logins.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
@pytest.mark.parametrize("way", ["owner", "mode", "link"])
def test_what_others_have_put_there_is_not_believed(tmp_path: Path, way: str) -> None:
    """It would name the endpoint that a refresh token is sent to. The next apply writes it, also where it says the same."""
    save(tmp_path, [_LOGIN])
    content = (tmp_path / "logins.json").read_bytes()
    (tmp_path / "logins.json").unlink()
    put(tmp_path / "logins.json", content, way)
    assert load(tmp_path) == ()
    assert save(tmp_path, [_LOGIN])
    assert load(tmp_path) == (_LOGIN,)
    assert S_IMODE((tmp_path / "logins.json").lstat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"null", b'[{"id": "a"}]', b"\xff"])
def test_damaged_file_has_no_logins(tmp_path: Path, content: bytes) -> None:
    """The next apply writes it again."""
    (tmp_path / "logins.json").write_bytes(content)
    assert load(tmp_path) == ()
