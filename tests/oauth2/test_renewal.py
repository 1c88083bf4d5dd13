"""A renewal asks once, keeps what it got before anybody uses it, and keeps the failure where it got nothing."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from dms_relay import tokens
from dms_relay.errors import RelayError, WriteError
from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, REFRESH_TOKEN, SERVICE_ACCOUNT, OAuth2
from dms_relay.model.values import replace
from dms_relay.oauth2 import OAuth2Error
from dms_relay.oauth2.renewal import FIRST_PAUSE, FIRST_PAUSE_FINAL, PAUSE_MAX, renew, renew_all
from dms_relay.tokens import Kept
from dms_relay.tokens.in_force import InForce
from testbed.token_http import Fault
from tests.oauth2.given import SECRET, USER, Given
from tests.support.scene import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.token_server import TokenServer

#: Octets of a disk that gets full, and of a page of it.
_DISK, _PAGE = 512 << 10, 4096
_GRANTS = [CLIENT_CREDENTIALS, REFRESH_TOKEN, SERVICE_ACCOUNT]


def in_force(oauth2: OAuth2, name: str = "a") -> InForce:
    """Return a login in force."""
    return InForce(name, "m365", USER, oauth2)


def _renew(state_dir: Path, login: InForce, *, force: bool = False, timeout: float = 10) -> Kept:
    return renew(state_dir, login, environ={}, force=force, timeout=timeout)


def _age(state_dir: Path, name: str, seconds: float) -> None:
    """Let time pass for a token."""
    kept = tokens.load(state_dir, name)
    tokens.save(
        state_dir, name, replace(kept, issued_at=kept.issued_at - seconds, expires_at=kept.expires_at - seconds)
    )


@pytest.mark.parametrize("grant", _GRANTS)
def test_token_is_kept_and_used_until_it_is_due(server: TokenServer, given: Given, tmp_path: Path, grant: str) -> None:
    """It is asked for once, then when half of its life is over, or where somebody wants a new one."""
    login = in_force(given.login(grant))
    first = _renew(tmp_path, login)
    assert server.accepts(USER, first.access_token)
    assert tokens.load(tmp_path, "a") == first
    assert _renew(tmp_path, login) == first
    _age(tmp_path, "a", 1801)
    second = _renew(tmp_path, login)
    assert second.access_token != first.access_token
    assert _renew(tmp_path, login, force=True).access_token != second.access_token
    assert len(server.requests) == 3


def test_end_is_by_our_clock(server: TokenServer, given: Given, tmp_path: Path) -> None:
    """A server whose clock is off gives tokens all the same, and their end is counted from the answer."""
    server.clock_offset = -300
    begin = time.time()
    kept = _renew(tmp_path, in_force(given.with_secret()))
    assert begin + 3600 <= kept.expires_at <= time.time() + 3600


def test_replaced_refresh_token_is_used_next(server: TokenServer, given: Given, tmp_path: Path) -> None:
    """The old one is over at once."""
    server.rotates = True
    login = in_force(given.with_refresh_token())
    for _ in range(4):
        kept = _renew(tmp_path, login, force=True)
        assert list(server.refresh_tokens) == [kept.refresh_token]
    assert kept.refresh_token not in repr(kept)


def test_new_client_secret_does_not_cost_the_refresh_token(server: TokenServer, given: Given, tmp_path: Path) -> None:
    """A secret that was rotated is tried at once, with the refresh token that the server has given since."""
    server.rotates = True
    login = in_force(given.with_refresh_token(client_secret="old"))
    server.clients["public"].secret = "old"
    _renew(tmp_path, login)
    server.clients["public"].secret = "new"
    with pytest.raises(OAuth2Error):
        _renew(tmp_path, login, force=True)
    rotated = in_force(replace(login.oauth2, client_secret="new"))
    assert server.accepts(USER, _renew(tmp_path, rotated).access_token)


def test_new_refresh_token_of_the_operator_takes_the_place_of_the_kept_one(
    server: TokenServer, given: Given, tmp_path: Path
) -> None:
    """He has put another there because he wants it to be used: it may be another person's."""
    server.rotates = True
    login = in_force(given.with_refresh_token())
    _renew(tmp_path, login)
    other = in_force(replace(login.oauth2, refresh_token=server.new_refresh_token("public", "you@example.test")))
    assert server.accepts("you@example.test", _renew(tmp_path, other).access_token)


def test_operators_refresh_token_helps_where_the_kept_one_is_over(
    server: TokenServer, given: Given, tmp_path: Path
) -> None:
    """It may be good still: it is tried before a person is called."""
    server.rotates = server.ends_late = True
    login = in_force(given.with_refresh_token())
    kept = _renew(tmp_path, login)
    del server.refresh_tokens[kept.refresh_token]
    assert server.accepts(USER, _renew(tmp_path, login, force=True).access_token)


def test_failure_is_kept_and_the_token_is_used_to_its_end(server: TokenServer, given: Given, tmp_path: Path) -> None:
    """An outage of the endpoint is none of mail, as long as the token is good; the next success forgets it."""
    login = in_force(given.with_secret())
    first = _renew(tmp_path, login)
    _age(tmp_path, "a", 1801)
    server.fault = Fault.ERROR
    pauses = []
    for _ in range(3):
        with pytest.raises(OAuth2Error):
            _renew(tmp_path, login)
        kept = tokens.load(tmp_path, "a")
        assert kept.failure is not None
        pauses.append(kept.next_try - kept.failure.at)
    assert (kept.access_token, kept.failures) == (first.access_token, 3)
    assert kept.failure
    assert kept.failure.code == "http 500"
    assert FIRST_PAUSE * 0.8 <= pauses[0] < pauses[1] < pauses[2] <= PAUSE_MAX * 1.2
    server.fault = Fault.NONE
    assert (_renew(tmp_path, login).failure, tokens.load(tmp_path, "a").failures) == (None, 0)


def test_what_a_person_must_repair_is_asked_seldom_unless_it_changes(given: Given, tmp_path: Path) -> None:
    """A wrong secret stays wrong; a new one is tried at once."""
    login = in_force(given.with_secret(client_secret="wrong"))
    with pytest.raises(OAuth2Error):
        _renew(tmp_path, login)
    kept = tokens.load(tmp_path, "a")
    assert kept.failure is not None
    assert (kept.failure.is_final, kept.failure.code) == (True, "AADSTS7000215")
    now = time.time()
    assert tokens.due_at(kept, now, login.oauth2) >= now + FIRST_PAUSE_FINAL * 0.7
    assert tokens.due_at(kept, now, replace(login.oauth2, client_secret=SECRET)) == 0


def test_server_that_wants_us_to_wait_is_obeyed(server: TokenServer, given: Given, tmp_path: Path) -> None:
    """Retry-After is longer than our own pause."""
    server.fault, server.retry_after = Fault.TOO_MANY, "1200"
    with pytest.raises(OAuth2Error):
        _renew(tmp_path, in_force(given.with_secret()))
    assert tokens.load(tmp_path, "a").next_try >= time.time() + 1190


@pytest.mark.parametrize("force", [False, True])
def test_many_at_once_ask_once(server: TokenServer, given: Given, tmp_path: Path, *, force: bool) -> None:
    """All get the token that the first one got."""
    server.delay = 0.3
    login, got = in_force(given.with_refresh_token()), []
    barrier = threading.Barrier(6)

    def ask() -> None:
        barrier.wait()
        got.append(_renew(tmp_path, login, force=force).access_token)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(set(got)), len(server.requests)) == (6, 1, 1)


def test_many_at_once_fail_once(server: TokenServer, given: Given, tmp_path: Path) -> None:
    """A server that refuses one is not asked by all others; they say the same."""
    server.delay = 0.3
    login = in_force(given.with_secret(client_secret="wrong", provider="microsoft"))
    got = renew_all(tmp_path, [login] * 6, environ={}, timeout=10)
    assert isinstance(got["a"], OAuth2Error)
    assert len(server.requests) == 1


def test_logins_are_renewed_at_the_same_time(server: TokenServer, given: Given, tmp_path: Path) -> None:
    """One that fails stops no other."""
    good, bad = given.with_refresh_token(), given.with_secret(client_secret="wrong")
    got = renew_all(tmp_path, [in_force(good, "g"), in_force(bad, "b")], environ={}, timeout=10)
    assert isinstance(got["g"], Kept)
    assert server.accepts(USER, got["g"].access_token)
    assert isinstance(got["b"], OAuth2Error)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a small file system."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=700", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        needs_root(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_full_disk_costs_no_refresh_token(server: TokenServer, given: Given, disk: Path) -> None:
    """However little room is left: it is found out before the question, or there is enough for the answer.

    A new refresh token that cannot be kept would be the end of the login: the server has ended the old one.
    """
    server.rotates = True
    login, filler = in_force(given.with_refresh_token()), disk / "filler"
    _renew(disk, login)
    asked = set()
    for left in range(0, _DISK - 4 * _PAGE, 8 * _PAGE):
        filler.write_bytes(bytes(_DISK - left - 4 * _PAGE))
        before = len(server.requests)
        with suppress(WriteError):
            _renew(disk, login, force=True)
        asked.add(len(server.requests) - before)
        filler.unlink()
        assert list(server.refresh_tokens) == [tokens.load(disk, "a").refresh_token]
    assert asked == {0, 1}
    assert server.accepts(USER, _renew(disk, login, force=True).access_token)


def test_other_errors_of_one_login_are_its_own(given: Given, tmp_path: Path) -> None:
    """A state directory that cannot be written is an error of each, not a traceback."""
    (tmp_path / "state").write_text("a file")
    got = renew_all(tmp_path / "state", [in_force(given.with_secret())], environ={}, timeout=10)
    assert isinstance(got["a"], RelayError)
