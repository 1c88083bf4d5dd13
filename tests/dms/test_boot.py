"""The start inside docker-mailserver: what `_setup_relayhost` does, and what it refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.dms.conftest import DEFAULT, LOGIN
from tests.image.engine import send

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dms.conftest import Boot, Relays

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(2)
#: How each stand-in shows a line (see ``LOOKS``), without colours, which supervisor takes away.
LINES = {
    "bookworm": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00 (ERROR|WARN |INFO |DEBUG|TRACE) [a-z-]+\.sh: .*",
    "trixie": r"\[(  ERROR  | WARNING |   INF   |  DEBUG  |  TRACE  )\]  .*",
}
#: Lines of Postfix and of supervisor.
NOT_OURS = r"^\w{3} [ \d]\d \S+ mail postfix/|^postfix/|^\S+ \S+,\d{3} (CRIT|WARN) "


@pytest.mark.one_in(1)
@pytest.mark.long
def test_relays_for_the_managed_domains(boot: Boot, relays: Relays, config: Path) -> None:
    """RELAY_HOST takes the mail of a domain that has an account, over TLS, with the login.

    postfix-main.cf, which docker-mailserver applies after us, wins over what we set; the rest of ours stands.
    """
    (config / "postfix-main.cf").write_text("smtp_tls_security_level = may\nrelayhost = [other.test]:587\n")
    server = boot.ready(**DEFAULT)
    settings = "smtp_tls_security_level", "relayhost", "smtp_sasl_auth_enable"
    assert server.execute("postconf", "-h", *settings).split() == ["may", "[other.test]:587", "yes"]
    record = relays.relay.wait_for_mail(send(server, "example.test"))
    assert (record["login"], record["tls"]) == (["user", "p:ass w$rd"], True)


@pytest.mark.long
def test_wrong_settings_end_the_container(boot: Boot, relays: Relays, config: Path) -> None:
    """With a wrong setting the container ends at each start, before anything is set up, and the log says why.

    Once it is fixed, the next start sets everything up, and mail is relayed.
    """
    (config / "postfix-relaymap.cf").write_text("@example.test [relay.test:587\n")
    server = boot(**{**DEFAULT, "LOG_LEVEL": "debug"})
    server.wait_until_ended()
    server.engine.call("start", server.name)
    server.wait_until_ended()
    log = server.log()
    assert log.count('postfix-relaymap.cf:1: nexthop "[relay.test:587" has no closing bracket') == 2
    assert log.count("The relay settings cannot be used, so nothing is set up") == 2
    for text in ("Configuring Postfix", "starting the Postfix mail system", "up and running", LOGIN["RELAY_PASSWORD"]):
        assert text not in log
    (config / "postfix-relaymap.cf").write_text("@example.test [relay.test]:587\n")
    server.engine.call("start", server.name)
    assert relays.taker(server, "example.test") == "user at relay.test"
    assert server.log().count("Configuring Postfix (early setup)") == 1


@pytest.mark.long
def test_wrong_settings_at_a_later_start(boot: Boot, relays: Relays, config: Path) -> None:
    """docker-mailserver sets up once: settings that are wrong since are reported, and the relays stay as they were.

    The start reports them, and once more the keeper, for whom they are new.
    """
    server = boot.ready(**DEFAULT)
    server.engine.call("stop", server.name)
    (config / "postfix-relaymap.cf").write_text("@example.test [relay.test:587\n")
    server.engine.call("start", server.name)
    assert relays.taker(server, "example.test") == "user at relay.test"
    assert server.log().count("has no closing bracket") in {1, 2}
    assert "The relays stay as they were" in server.log()


def test_nothing_is_relayed_without_settings(boot: Boot) -> None:
    """Without a relay the start leaves Postfix as it was."""
    server = boot.ready()
    assert server.execute("postconf", "-h", "relayhost", "smtp_tls_security_level").split() == ["may"]
    assert server.execute("sh", "-c", "ls /etc/postfix | grep -e relay -e passwd || echo none") == "none\n"


def test_secret_files(boot: Boot, relays: Relays, tmp_path: Path) -> None:
    """NAME__FILE gives a value at the start and after a change.

    Also where NAME is there and empty, as in docker-mailserver's own mailserver.env: it says itself that the file is not
    read, so what is read is said as well.
    """
    (tmp_path / "user").write_text("of a file\n")
    (tmp_path / "password").write_text("of another\n")
    files = {"RELAY_USER__FILE": "/run/secrets/user", "RELAY_PASSWORD__FILE": "/run/secrets/password"}
    server = boot.ready(
        f"--volume={tmp_path}:/run/secrets:ro", RELAY_HOST="relay.test", RELAY_PORT="587", RELAY_USER="", **files
    )
    assert relays.relay.wait_for_mail(send(server, "example.test"))["login"] == ["of a file", "of another"]
    said = server.change("postfix-virtual.cf", "info@second.test user@example.test\n")
    assert relays.relay.wait_for_mail(send(server, "second.test"))["login"] == ["of a file", "of another"]
    warnings = [line for line in (server.log() + said).splitlines() if re.search("WARN|ERROR", line)]
    assert [line.partition("RELAY_USER ")[2] for line in warnings] == [
        "is set, so the file of RELAY_USER__FILE is not read",
        "is empty, which counts as not set: the file of RELAY_USER__FILE is read -- remove the line RELAY_USER=",
    ]


def test_lines_look_like_those_around_them(boot: Boot, suite: str) -> None:
    """Each line of ours looks as docker-mailserver's own do, at each level, at the start and after a change."""
    server = boot.ready(LOG_LEVEL="debug", **DEFAULT)
    said = server.change("postfix-relaymap.cf", "@example.test [other.test]:587\n@example.test [relay.test]:587\n")
    lines = [line for line in (server.log() + said).splitlines() if not re.search(NOT_OURS, line)]
    assert [line for line in lines if not re.fullmatch(LINES[suite], line)] == []
    for level, text in {"DEBUG": "Setting up", "INF": "table written", "WARN": "is ignored"}.items():
        assert any(level in line and text in line for line in lines)
    assert LOGIN["RELAY_PASSWORD"] not in "".join(lines)
