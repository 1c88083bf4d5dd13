"""What the plugin sends, what it refuses, and that it touches no memory but its own."""

from __future__ import annotations

import random
import re
import string
import subprocess
from typing import TYPE_CHECKING

import pytest

from dms_relay.model.oauth2 import NO_TOKEN, TOKEN_MECHANISMS
from dms_relay.postfix import sasl_plugin
from tests.sasl.plugin import MEMCHECK, ROOT, require_valgrind
from tests.support.amounts import amount, seed_of

if TYPE_CHECKING:
    from tests.sasl.plugin import Plugin
    from tests.support.amounts import Figures

USER = b"me@example.com"
TOKEN = b"ya29.a0-_~+/="
ERROR = b'{"status":"400","schemes":"Bearer"}'
CONTINUE, OK = 1, 0
ENDS = {"XOAUTH2": b"", "OAUTHBEARER": b"\x01"}
NOPLAINTEXT = "0x1"
ALL_MECHANISMS = pytest.mark.parametrize("mechanism", ENDS)


def message(mechanism: str, user: bytes, token: bytes) -> bytes:
    """Return what a client has to send."""
    if mechanism == "XOAUTH2":
        return b"user=" + user + b"\x01auth=Bearer " + token + b"\x01\x01"
    name = user.replace(b"=", b"=3D").replace(b",", b"=2C")
    return b"n,a=" + name + b",\x01host=relay.test\x01auth=Bearer " + token + b"\x01\x01"


@ALL_MECHANISMS
@pytest.mark.parametrize("length", [1, 6006, 8192, 65536])
def test_a_login(sanitized: Plugin, mechanism: str, length: int) -> None:
    """The message has the user name and the whole token; the server's empty answer ends the login well."""
    said = sanitized.log_in(mechanism, USER, b"x" * length, b"")
    assert [(s.result, s.mechanism) for s in said] == [(CONTINUE, mechanism), (OK, mechanism)]
    assert [s.message for s in said] == [message(mechanism, USER, b"x" * length), b""]


@ALL_MECHANISMS
def test_odd_names(sanitized: Plugin, mechanism: str) -> None:
    """A user name may have any character but those that end a field; OAUTHBEARER writes two of them otherwise."""
    for user in (b"a,b=c", b"=" * 1024, "jörg@example.com".encode(), b"two words"):
        (said,) = sanitized.log_in(mechanism, user, TOKEN)
        assert said.message == message(mechanism, user, TOKEN)


@ALL_MECHANISMS
def test_a_refusal(sanitized: Plugin, mechanism: str) -> None:
    """An error in JSON is answered as the mechanism wants it; after that, the client says no more."""
    said = sanitized.log_in(mechanism, USER, TOKEN, ERROR, ERROR)
    assert [s.message for s in said] == [message(mechanism, USER, TOKEN), ENDS[mechanism], b""]
    assert [s.result > 0 for s in said] == [True, True, False]
    assert "after it has refused" in said[-1].error


@ALL_MECHANISMS
@pytest.mark.parametrize("token", [NO_TOKEN.encode(), b""])
def test_no_token(sanitized: Plugin, mechanism: str, token: bytes) -> None:
    """Without a token nothing is sent, and the error says so."""
    (said,) = sanitized.log_in(mechanism, USER, token)
    assert said.result < 0
    assert said.message == b""
    assert "there is no access token yet" in said.error


@ALL_MECHANISMS
@pytest.mark.parametrize(
    "token", [b"two words", b"line\nend", b"\x01", b"a\0b", "tökén".encode(), b"x" * 65537, b"\x7f"]
)
def test_what_is_no_token(sanitized: Plugin, mechanism: str, token: bytes) -> None:
    """What cannot be a token is not sent, and stands in no error."""
    (said,) = sanitized.log_in(mechanism, USER, token)
    assert (said.result < 0, said.message) == (True, b"")
    assert "is not an access token" in said.error
    assert token.decode() not in said.error


@ALL_MECHANISMS
@pytest.mark.parametrize("user", [b"", b"a\x01auth=Bearer other\x01\x01", b"a\r\nb", b"x" * 1025])
def test_what_is_no_user(sanitized: Plugin, mechanism: str, user: bytes) -> None:
    """A user name that would end its field is not sent."""
    (said,) = sanitized.log_in(mechanism, user, TOKEN)
    assert (said.result < 0, said.message) == (True, b"")
    assert "user name" in said.error


@ALL_MECHANISMS
def test_security(sanitized: Plugin, mechanism: str) -> None:
    """As with PLAIN: it is not taken where plain text is forbidden, nor where a security layer is demanded."""
    for more in ((NOPLAINTEXT,), ("0", "1")):
        (said,) = sanitized.log_in(mechanism, USER, TOKEN, more=more)
        assert (said.result < 0, said.message) == (True, b"")
        (plain,) = sanitized.log_in("PLAIN", USER, TOKEN, more=more)
        assert (plain.result, plain.message) == (said.result, b"")


@ALL_MECHANISMS
@pytest.mark.parametrize("token", [TOKEN, b"no token"])
def test_memory(plugin: Plugin, mechanism: str, token: bytes) -> None:
    """Valgrind finds no leak and no wrong access: at a refusal, and where nothing is sent."""
    require_valgrind()
    said = plugin.log_in(mechanism, USER, token, ERROR, tool=MEMCHECK)
    assert said[0].message == (b"" if token != TOKEN else message(mechanism, USER, TOKEN))


@pytest.mark.soak
def test_anything(sanitized: Plugin, figures: Figures, request: pytest.FixtureRequest) -> None:
    """Whatever the table holds and the server says: no wrong access, and a token is sent whole or not at all."""
    draw = random.Random(seed_of(request.node.nodeid))  # noqa: S311
    count = amount(20, 3000)
    for _ in range(count):
        mechanism = draw.choice(list(ENDS))
        user = _draw(draw, draw.choice((0, 10, 1024, 1026)))
        token = _draw(draw, draw.choice((1, 15, 16, 2000, 8192, 65536)))
        said = sanitized.log_in(mechanism, user, token, *(draw.randbytes(draw.randrange(40)) for _ in range(3)))
        assert said[0].message in {b"", message(mechanism, user, token)}
    figures(count, "logins of the SASL plugin")


def _draw(draw: random.Random, length: int) -> bytes:
    """Return text that is mostly a good one."""
    letters = (string.ascii_letters + string.digits + "-._~+/=,@").encode()
    text = bytes(draw.choices(letters, k=length))
    return text + draw.choice((b"", b"", b"", b"\x01", b"\n", b"\xff"))


def test_one_text_stands_for_no_token() -> None:
    """The plugin refuses what the tables hold while there is no token."""
    source = (ROOT / "sasl/oauth2.c").read_text()
    assert re.findall(r'#define NO_TOKEN "(.*)"', source) == [NO_TOKEN]
    assert tuple(name.lower() for name in re.findall(r'MECHANISM\("([A-Z0-9]+)"', source)) == TOKEN_MECHANISMS


def test_what_the_file_shows(plugin: Plugin) -> None:
    """The file has the name that is looked for, shows one function, and needs the C library only."""
    built = str(plugin.directory / sasl_plugin.PLUGIN)
    shown = subprocess.run(["nm", "-D", "--defined-only", built], capture_output=True, text=True, check=True).stdout
    needed = subprocess.run(["readelf", "-d", built], capture_output=True, text=True, check=True).stdout
    assert [line.split()[-1] for line in shown.splitlines()] == ["sasl_client_plug_init"]
    assert re.findall(r"\(NEEDED\).*\[(.*)\]", needed) == ["libc.so.6"]
