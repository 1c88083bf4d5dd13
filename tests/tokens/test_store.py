"""The store: what was kept is there again, for nobody else, and whole."""

from __future__ import annotations

import os
import threading
from stat import S_IMODE
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from dms_relay import tokens
from dms_relay.errors import BusyError, WriteError
from dms_relay.model.oauth2 import OAuth2
from dms_relay.model.values import replace
from dms_relay.tokens import Failure, Kept, Room
from dms_relay.tokens.credentials import digests, is_same_refresh_token

if TYPE_CHECKING:
    from pathlib import Path

_OAUTH2 = OAuth2(
    "refresh-token", "https://id.example.test/token", "us", "smtp", client_secret="s3cret", refresh_token="r1"
)
_KEPT = Kept("token-1", 1000.0, 4600.0, "refresh-2", "smtp", "them", digests(_OAUTH2), digests(_OAUTH2))
_FAILED = replace(
    _KEPT, failure=Failure(2000.0, "invalid_grant", "no", "do", is_final=True), failures=2, next_try=2300.0
)


@pytest.mark.parametrize("kept", [Kept(), _KEPT, _FAILED])
def test_what_was_kept_is_there_again(tmp_path: Path, kept: Kept) -> None:
    """Every field, each time."""
    tokens.save(tmp_path / "state", "a", Kept("other"))
    tokens.save(tmp_path / "state", "a", kept)
    assert tokens.load(tmp_path / "state", "a") == kept


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """Directories are 0700 and files 0600, also where a volume came with other rights, whatever the umask is."""
    state = tmp_path / "state"
    state.mkdir(0o777)
    old = os.umask(0)
    try:
        tokens.save(state, "a", _KEPT)
        with tokens.lock(state, "a", 0), Room(state, "b") as room:
            modes = {path.name: S_IMODE(path.stat().st_mode) for path in (state, *state.rglob("*"))}
            room.save(_KEPT)
    finally:
        os.umask(old)
    modes |= {path.name: S_IMODE(path.stat().st_mode) for path in state.rglob("*")}
    assert modes.pop("state") == modes.pop("tokens") == 0o700
    assert set(modes.values()) == {0o600}
    assert {"a.json", "b.json", "a.lock"} <= modes.keys()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_directory_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    """Its owner could read what is in it, and put a link there."""
    state = tmp_path / "state"
    state.mkdir(0o700)
    os.chown(state, 12345, 12345)
    with pytest.raises(WriteError, match=r"belongs to somebody else.* -- chown root"):
        tokens.save(state, "a", _KEPT)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"5", b'{"access_token": 5}', b"\xff", b'{"failure": 5}']
)
def test_damaged_file_is_none(tmp_path: Path, content: bytes) -> None:
    """The next renewal writes it again; a traceback would stop that."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "a.json").write_bytes(content)
    assert tokens.load(tmp_path, "a") == Kept()


def test_file_of_a_newer_version_is_read(tmp_path: Path) -> None:
    """Going back to an older version must not cost a refresh token."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "a.json").write_bytes(b'{"refresh_token": "r", "new": [1]}')
    assert tokens.load(tmp_path, "a").refresh_token == "r"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
@pytest.mark.parametrize("way", ["owner", "mode", "link"])
@pytest.mark.parametrize("name", ["a.json", ".a.json.dms-relay.tmp"])
def test_what_others_have_put_there_is_not_believed(tmp_path: Path, name: str, way: str) -> None:
    """A refresh token of somebody's would send mail as them. It is kept beside the one that is written then."""
    state = tmp_path / "state"
    tokens.save(state, "b", _KEPT)
    path = put(state / "tokens" / name, (state / "tokens" / "b.json").read_bytes(), way)
    tokens.complete(state, "a")
    assert tokens.load(state, "a") == Kept()
    tokens.save(state, "a", replace(_KEPT, access_token="own"))
    assert tokens.load(state, "a").access_token == "own"
    status = (state / "tokens" / "a.json").lstat()
    assert (status.st_uid, S_IMODE(status.st_mode)) == (0, 0o600)
    if name == "a.json" and way != "link":
        assert path.with_name("a.json.not-believed").read_bytes()
    tokens.save(state, "a", _KEPT)
    assert tokens.load(state, "a") == _KEPT


def put(path: Path, content: bytes, way: str) -> Path:
    """Write a file as somebody else can, who was there first."""
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.write_bytes(content)
    if way == "link":
        path.symlink_to(elsewhere)
    else:
        elsewhere.rename(path)
        path.chmod(0o666 if way == "mode" else 0o600)
        os.chown(path, 0 if way == "mode" else 12345, -1)
    return path


def test_no_secret_is_shown() -> None:
    """Values are in logs and tracebacks before anybody thinks of it."""
    assert "token-1" not in repr(_FAILED)
    assert "refresh-2" not in repr(_FAILED)


def test_identifier_has_no_secret_and_follows_the_question() -> None:
    """Another user, relay, scope or endpoint is another token; a new secret asks for the same one."""
    name = tokens.login_id("m365", "me@example.test", _OAUTH2)
    assert name == tokens.login_id(
        "m365", "me@example.test", replace(_OAUTH2, client_secret="new", refresh_token="new")
    )
    others = [
        tokens.login_id("other", "me@example.test", _OAUTH2),
        tokens.login_id("m365", "you@example.test", _OAUTH2),
        *(
            tokens.login_id("m365", "me@example.test", replace(_OAUTH2, **{field: "x"}))
            for field in ("token_url", "client_id", "grant", "scope")
        ),
    ]
    assert len({name, *others}) == 1 + len(others)
    assert set(name) <= set("0123456789abcdef")


def test_digests_tell_secrets_apart() -> None:
    """Without keeping them; each time with another salt."""
    made = digests(_OAUTH2)
    assert digests(_OAUTH2) != made
    assert digests(_OAUTH2, made) == made
    assert digests(replace(_OAUTH2, client_secret="x"), made) != made
    assert is_same_refresh_token(replace(_OAUTH2, client_secret="x"), made)
    assert not is_same_refresh_token(replace(_OAUTH2, refresh_token="x"), made)
    assert not is_same_refresh_token(_OAUTH2, "")
    assert "s3cret" not in made


@for_all(st.floats(1, 1e7), st.floats(0, 1e9), st.text(min_size=1))
def test_renewal_is_due_in_good_time(life: float, begin: float, token: str) -> None:
    """After some use, before the half of its life, and 10 minutes before the end where it lives long enough for that."""
    kept = Kept(token, begin, begin + life)
    due = tokens.due_at(kept, begin) - begin
    assert 0 < due <= life / 2
    assert due <= max(life - tokens.BEFORE_END, life / 3) + 1e-3
    assert due >= life / 3 * 0.89 - 1e-3
    assert tokens.due_at(kept, begin + life) == due + begin


def test_renewals_are_spread() -> None:
    """Tokens that were got at once are not renewed at once."""
    assert len({tokens.due_at(Kept(f"token-{at}", 0, 3600), 0) for at in range(20)}) > 15


def test_what_is_due_at_once() -> None:
    """No token; one from a time that is yet to come, for the clock has gone back; secrets that were not tried yet."""
    assert tokens.due_at(Kept(), 5000.0) == 0
    assert tokens.due_at(_KEPT, 1.0) == 0
    assert tokens.due_at(_FAILED, 2100.0) == _FAILED.next_try
    assert tokens.due_at(_FAILED, 2100.0, _OAUTH2) == _FAILED.next_try
    assert tokens.due_at(_FAILED, 2100.0, replace(_OAUTH2, client_secret="new")) == 0


def test_token_is_valid_to_its_end() -> None:
    """And not at it."""
    assert tokens.is_valid(_KEPT, 4599.9)
    assert not tokens.is_valid(_KEPT, 4600.0)
    assert not tokens.is_valid(Kept(expires_at=9e9), 0.0)


def test_login_is_held_by_one(tmp_path: Path) -> None:
    """Another process, or thread, waits, and says so in the end."""
    with tokens.lock(tmp_path, "a", 0):
        with pytest.raises(BusyError, match="another dms-relay renews"), tokens.lock(tmp_path, "a", 0.1):
            pass
        with tokens.lock(tmp_path, "b", 0):
            pass
    with tokens.lock(tmp_path, "a", 0):
        pass


def test_lock_that_was_taken_away_holds_nobody(tmp_path: Path) -> None:
    """Two would hold a login else: one by the old file, one by the new."""
    entered: list[str] = []

    def wait() -> None:
        with tokens.lock(tmp_path, "a", 10):
            entered.append("second")

    with tokens.lock(tmp_path, "a", 0):
        thread = threading.Thread(target=wait)
        thread.start()
        tokens.forget(tmp_path, set())
        with tokens.lock(tmp_path, "a", 1):
            entered.append("first, in a new file")
    thread.join()
    assert sorted(entered) == ["first, in a new file", "second"]


def test_other_logins_are_forgotten(tmp_path: Path) -> None:
    """With their locks and what a killed run left."""
    for name in ("a", "b"):
        tokens.save(tmp_path, name, _KEPT)
        with tokens.lock(tmp_path, name, 0):
            pass
    (tmp_path / "tokens" / ".b.json.dms-relay.tmp").write_bytes(b"half")
    tokens.forget(tmp_path, {"a"})
    assert sorted(path.name for path in (tmp_path / "tokens").iterdir()) == ["a.json", "a.lock"]
    tokens.forget(tmp_path / "none", set())


def test_room_that_is_not_used_is_given_back(tmp_path: Path) -> None:
    """And what was kept before stays."""
    tokens.save(tmp_path, "a", _KEPT)
    with Room(tmp_path, "a"):
        assert sum(path.stat().st_blocks for path in (tmp_path / "tokens").iterdir()) * 512 >= tokens.ROOM
    assert [path.name for path in (tmp_path / "tokens").iterdir()] == ["a.json"]
    assert tokens.load(tmp_path, "a") == _KEPT


def test_types_of_all_fields_are_checked() -> None:
    """A field whose type the reader does not know would make every file damaged."""
    names = {
        *cast("dict[str, str]", Kept.__annotations__).values(),
        *cast("dict[str, str]", Failure.__annotations__).values(),
    }
    assert names == {"str", "float", "int", "bool", "Failure | None"}


@pytest.mark.parametrize("room", [b"", bytes(4096)])
def test_what_a_killed_run_had_written_is_put_in_place(tmp_path: Path, room: bytes) -> None:
    """The server may have ended the refresh token before that one: with the room behind it, or without."""
    tokens.save(tmp_path, "a", _KEPT)
    newer = replace(_KEPT, refresh_token="refresh-3", issued_at=2000.0)
    tokens.save(tmp_path, "b", newer)
    left = tmp_path / "tokens" / ".a.json.dms-relay.tmp"
    left.write_bytes((tmp_path / "tokens" / "b.json").read_bytes() + room)
    tokens.complete(tmp_path, "a")
    assert tokens.load(tmp_path, "a") == newer
    assert (tmp_path / "tokens" / "a.json").read_bytes() == (tmp_path / "tokens" / "b.json").read_bytes()
    assert not left.exists()


@pytest.mark.parametrize("left", ["older", "half", "room", "none"])
def test_what_is_not_whole_or_not_newer_is_left(tmp_path: Path, left: str) -> None:
    """What is kept is better than that."""
    tokens.save(tmp_path, "a", _KEPT)
    tokens.save(tmp_path, "b", replace(_KEPT, issued_at=2000.0))
    whole = (tmp_path / "tokens" / "b.json").read_bytes()
    older = (tmp_path / "tokens" / "a.json").read_bytes()
    content = {"older": older, "half": whole[:-20], "room": bytes(4096)}.get(left)
    if content is not None:
        (tmp_path / "tokens" / ".a.json.dms-relay.tmp").write_bytes(content)
    tokens.complete(tmp_path, "a")
    assert tokens.load(tmp_path, "a") == _KEPT
