"""Parameters of single services in master.cf: set as ``postconf -P`` does, and taken back to the octet."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms_relay.files import set_back
from dms_relay.postfix.service_parameters import services, with_words, words
from tests.support.sandbox import BASE_MAIN_CF

if TYPE_CHECKING:
    from pathlib import Path

MASTER_CF = """\
# smtp inet n - y - - smtpd -o smtpd_banner=comment
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission -o smtpd_tls_security_level=encrypt
# -o smtpd_banner=comment
  -o { smtpd_banner = $myhostname ESMTP }
  -o smtpd_tls_security_level=may
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp -o syslog_name=postfix/$service_name
lines     unix  -       -       y       -       -
  smtp
  -o smtp_helo_name=a.test   -o smtp_fallback_relay=
127.0.0.1:10025 inet n  -       y       -       -       smtpd
"""
KEYS = (
    "smtp/inet/smtpd_banner",
    "submission/inet/smtpd_banner",
    "submission/inet/smtpd_tls_security_level",
    "submission/inet/syslog_name",
    "smtp/unix/smtp_helo_name",
    "relay/unix/syslog_name",
    "relay/unix/smtp_helo_name",
    "lines/unix/smtp_helo_name",
    "lines/unix/smtp_fallback_relay",
    "127.0.0.1:10025/inet/mynetworks",
)
VALUES = st.sampled_from(["", "x", "y", "inline:{a=b}", "a,b", "$myhostname", "-o", "=", "{"])


def _ours(wanted: dict[str, str]) -> dict[str, str]:
    return {key: f"{key.rpartition('/')[2]}={value}" for key, value in wanted.items()}


def _postconf(directory: Path, *arguments: str) -> str:
    done = subprocess.run(["postconf", "-c", str(directory), *arguments], capture_output=True, check=True, text=True)
    return done.stdout


@pytest.mark.parametrize("key", KEYS)
def test_postfix_reads_what_was_set(tmp_path: Path, key: str) -> None:
    """What is set stands there for Postfix as it does after ``postconf -P``, and nothing else is another."""
    (tmp_path / "main.cf").write_text(BASE_MAIN_CF)
    set_back(tmp_path / "main.cf")
    (tmp_path / "master.cf").write_text(MASTER_CF)
    _postconf(tmp_path, "-P", f"{key}=some.test")
    told, services_then = _postconf(tmp_path, "-P"), _postconf(tmp_path, "-M")
    (tmp_path / "master.cf").write_text(with_words(MASTER_CF, _ours({key: "some.test"})))
    assert sorted(_postconf(tmp_path, "-P").splitlines()) == sorted(told.splitlines())
    assert len(_postconf(tmp_path, "-M").splitlines()) == len(services_then.splitlines())


@given(wanted=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
def test_it_is_taken_back_to_the_octet(wanted: dict[str, str]) -> None:
    """Whatever is set, and in whatever order it is taken back: the text is as it was."""
    before = words(MASTER_CF, wanted)
    text = with_words(MASTER_CF, _ours(wanted))
    assert words(text, wanted) == _ours(wanted)
    assert with_words(text, {key: before.get(key) for key in reversed(wanted)}) == MASTER_CF


def test_no_such_service() -> None:
    """A service that is not there is left alone, and one in a comment is none."""
    assert with_words(MASTER_CF, {"foo/unix/x": "x=y", "smtp/pass/x": "x=y"}) == MASTER_CF
    assert "submission/inet" in services(MASTER_CF)
    assert words(MASTER_CF, ["smtp/inet/smtpd_banner"]) == {}
