"""The start inside docker-mailserver: what `_setup_relayhost` does, and what it refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.dms.conftest import DEFAULT, LOGIN
from tests.image.engine import send

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dms.conftest import Boot, Relays

#: How each stand-in shows a line (see ``LOOKS``), without colours, which supervisor takes away.
LINES = {
    "bookworm": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00 (ERROR|WARN |INFO |DEBUG|TRACE) [a-z-]+\.sh: .*",
    "trixie": r"\[(  ERROR  | WARNING |   INF   |  DEBUG  |  TRACE  )\]  .*",
}
#: Lines of Postfix and of supervisor.
NOT_OURS = r"^\w{3} [ \d]\d \S+ mail postfix/|^postfix/|^\S+ \S+,\d{3} (CRIT|WARN) "


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


def test_wrong_settings_end_the_container(boot: Boot) -> None:
    """With a wrong setting the container ends, and Postfix never runs; so does a restart, and the log says why."""
    server = boot(**{**DEFAULT, "RELAY_PORT": "70000", "RELAY_PASSWORD": "of-relay"})
    server.wait_until_ended()
    server.engine.call("start", server.name)
    server.wait_until_ended()
    log = server.log()
    assert log.count('env RELAY_PORT: port "70000" is not a number from 1 to 65535') == 2
    assert log.count("The relay settings could not be applied, so Postfix is not started") == 2
    assert "starting the Postfix mail system" not in log
    assert "up and running" not in log
    assert "of-relay" not in log


def test_nothing_is_relayed_without_settings(boot: Boot) -> None:
    """Without a relay the start leaves Postfix as it was."""
    server = boot.ready()
    assert server.execute("postconf", "-h", "relayhost", "smtp_tls_security_level").split() == ["may"]
    assert server.execute("sh", "-c", "ls /etc/postfix | grep -e relay -e passwd || echo none") == "none\n"


def test_secret_files(boot: Boot, relays: Relays, tmp_path: Path) -> None:
    """NAME__FILE gives a value at the start and after a change, without a warning.

    Also where NAME is there and empty, as in docker-mailserver's own mailserver.env: docker-mailserver fills it.
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
    assert not re.search(r"WARN|ERROR", server.log() + said)


def test_lines_look_like_those_around_them(boot: Boot, suite: str) -> None:
    """Each line of ours looks as docker-mailserver's own do, at each level, at the start and after a change."""
    server = boot.ready(LOG_LEVEL="debug", **DEFAULT)
    said = server.change("postfix-relaymap.cf", "@example.test [other.test]:587\n@example.test [relay.test]:587\n")
    lines = [line for line in (server.log() + said).splitlines() if not re.search(NOT_OURS, line)]
    assert [line for line in lines if not re.fullmatch(LINES[suite], line)] == []
    for level, text in {"DEBUG": "Setting up", "INF": "table written", "WARN": "is ignored"}.items():
        assert any(level in line and text in line for line in lines)
    assert LOGIN["RELAY_PASSWORD"] not in "".join(lines)
