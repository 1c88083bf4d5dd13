"""The main job, in a container: mail arrives at the relay, over TLS, with the right login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.image.engine import ROOT, send, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Relay, Starter

CONFIG_DIR = "/tmp/docker-mailserver"  # noqa: S108 -- in a container


def test_relays_as_the_environment_says(start: Starter, relay: Relay) -> None:
    """DEFAULT_RELAY_HOST, RELAY_USER and RELAY_PASSWORD alone make mail arrive there, over TLS, with that login."""
    container = start.ready(DEFAULT_RELAY_HOST="[relay.test]:587", RELAY_USER="user", RELAY_PASSWORD="p:ass w$rd")
    record = relay.wait_for_mail(send(container, "example.test"))
    assert record["login"] == ["user", "p:ass w$rd"]
    assert record["tls"] is True
    assert record["to"] == ["someone@elsewhere.test"]


def test_relays_as_mounted_files_say(start: Starter, relay: Relay, config_dir: Path) -> None:
    """The two .cf files, mounted read-only, map a domain to its relay and to its own login."""
    (config_dir / "postfix-relaymap.cf").write_text("@one.test [relay.test]:587\n@two.test [relay.test]:587\n")
    (config_dir / "postfix-sasl-password.cf").write_text("@one.test first:one\n@two.test second:two\n")
    container = start.ready(f"--volume={config_dir}:{CONFIG_DIR}:ro")
    for domain, login in {"one.test": ["first", "one"], "two.test": ["second", "two"]}.items():
        record = relay.wait_for_mail(send(container, domain))
        assert (record["login"], record["tls"]) == (login, True)


def test_relays_as_relay_yaml_says(start: Starter, relay: Relay, tmp_path: Path, config_dir: Path) -> None:
    """relay.yaml counts at the start, and again when told to: a service of its own, and the global parameters untouched."""
    (tmp_path / "secret").write_text("of a file\n")
    text = "version: 1\nrelays:\n  one: {host: relay.test, tls: {level: encrypt}, login: {username: %s, %s}}\ndefault: one\n"
    (config_dir / "relay.yaml").write_text(text % ("user", "password_file: /run/secrets/one"))
    secret = f"--volume={tmp_path}/secret:/run/secrets/one:ro"
    options = (secret, f"--volume={config_dir}:{CONFIG_DIR}:ro")
    # The keeper may be quicker than the command.
    container = start.ready(*options, SECOND="of the environment", RELAY_WATCH="no")
    record = relay.wait_for_mail(send(container, "example.test"))
    assert (record["login"], record["tls"]) == (["user", "of a file"], True)
    assert container.execute("postconf", "-h", "smtp_tls_security_level", "smtp_sasl_auth_enable").split() == [
        "may",
        "no",
    ]
    (config_dir / "relay.yaml").write_text(text % ("second", "password_env: SECOND"))
    assert "applied" in container.execute("dms-relay", "apply")
    assert relay.wait_for_mail(send(container, "example.test"))["login"] == ["second", "of the environment"]
    assert '"relays"' in container.execute("dms-relay", "schema")


def test_relays_with_a_secret_file_and_relay_env(
    start: Starter, relay: Relay, tmp_path: Path, config_dir: Path
) -> None:
    """A password can be a secret's file, and the other settings can stand in relay.env; only the final line end goes."""
    (tmp_path / "secret").write_text("of the secret\n")
    (config_dir / "relay.env").write_text("DEFAULT_RELAY_HOST=[relay.test]:587\nRELAY_USER=user\n")
    container = start.ready(
        f"--volume={tmp_path}/secret:/run/secrets/relay_password:ro",
        f"--volume={config_dir}:{CONFIG_DIR}:ro",
        RELAY_PASSWORD__FILE="/run/secrets/relay_password",
    )
    record = relay.wait_for_mail(send(container, "example.test"))
    assert record["login"] == ["user", "of the secret"]


def test_tables_are_for_root_alone(start: Starter) -> None:
    """What can hold a login belongs to root, with mode 0600; and Postfix, which runs without chroot, can use it."""
    container = start.ready(DEFAULT_RELAY_HOST="[relay.test]:587", RELAY_USER="user", RELAY_PASSWORD="secret")
    for name in ("sasl_passwd", "relayhost_map"):
        assert container.execute("stat", "-c", "%a %U:%G", f"/etc/postfix/{name}") == "600 root:root\n"
    assert set(container.execute("postconf", "-hF", "*/*/chroot").split()) == {"n"}


def test_a_new_container_delivers_what_waited(start: Starter, relay: Relay, volume: str) -> None:
    """The queue lives on the volume: what waits when a container is taken away is delivered by the next one."""
    queue = f"--volume={volume}:/var/spool/postfix"
    login = {"RELAY_USER": "user", "RELAY_PASSWORD": "secret"}
    first = start.ready(queue, DEFAULT_RELAY_HOST="[relay.test]:9", **login)
    sender = send(first, "example.test")
    wait_for(lambda: "status=deferred" in first.log(), "the relay to be out of reach")
    first.remove()
    assert relay.received(sender) == []
    second = start.ready(queue, DEFAULT_RELAY_HOST="[relay.test]:587", **login)
    # Postfix tries again after minimal_backoff_time (300 s); a test has no such time.
    second.execute("postqueue", "-f")
    assert relay.wait_for_mail(sender)["login"] == ["user", "secret"]


def test_wrong_settings_stop_the_start(start: Starter) -> None:
    """With a wrong setting the container ends with exit code 78, the message stands last, and Postfix never ran."""
    container = start(RELAY_HOST="relay.test", RELAY_PORT="70000", RELAY_USER="user", RELAY_PASSWORD="of-relay")
    assert container.wait_until_ended() == 78
    *_, message, last = container.log().splitlines()
    assert "env RELAY_PORT: " in message
    assert last == (
        "docker-entrypoint: error: the hook /docker-entrypoint.d/20-relay failed with exit code 78, "
        "so Postfix is not started"
    )
    assert "starting the Postfix mail system" not in container.log()
    assert "of-relay" not in container.log()


def test_the_example_is_right(start: Starter, tmp_path: Path) -> None:
    """The example configuration directory, with the secret that compose.yaml names, starts without a warning."""
    (tmp_path / "secret").write_text("secret\n")
    container = start.ready(
        f"--volume={ROOT}/examples/config:{CONFIG_DIR}:ro",
        f"--volume={tmp_path}/secret:/run/secrets/relay_password:ro",
        RELAY_PASSWORD__FILE="/run/secrets/relay_password",
        PERMIT_DOCKER="connected-networks",
        POSTFIX_MYHOSTNAME="mail.example.com",
    )
    assert "[warn" not in container.log()
    assert "[error" not in container.log()
