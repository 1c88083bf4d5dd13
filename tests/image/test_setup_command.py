"""The word ``setup`` in the image: what docker-mailserver's users type, for the relay alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.image.engine import EngineError

if TYPE_CHECKING:
    from tests.image.conftest import Starter
    from tests.image.engine import Container


@pytest.fixture(scope="module")
def sandbox(long_lived: Starter) -> Container:
    """Return a container in which nothing runs."""
    return long_lived(command=("sleep", "3600"))


@pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("-h",)])
def test_usage(sandbox: Container, words: tuple[str, ...]) -> None:
    """Alone, or asked for help, it says what it is for."""
    said = sandbox.execute("setup", *words)
    assert said.startswith("usage: setup relay COMMAND ...\n")
    assert "setup relay add-domain DOMAIN HOST [PORT]" in said


def test_the_rest_of_docker_mailserver_is_not_here(sandbox: Container) -> None:
    """What else docker-mailserver's ``setup`` can do is refused, with what there is: exit code 2."""
    with pytest.raises(EngineError, match='exit code 2\nsetup: there is no "email" here, only: setup relay COMMAND'):
        sandbox.execute("setup", "email", "list")


def test_it_is_dms_relay(sandbox: Container) -> None:
    """The commands are those of ``dms-relay``, under the words that were typed."""
    assert sandbox.execute("setup", "relay", "help").startswith("usage: setup relay [-h]")
    assert sandbox.execute("setup", "relay", "add-auth", "help").startswith("usage: setup relay add-auth [-h]")
    assert "no relay and no login is set\n" in sandbox.execute("setup", "relay", "list")
    with pytest.raises(EngineError, match="exit code 2\nusage: setup relay "):
        sandbox.execute("setup", "relay", "nonsense")


def test_completion_and_manual_are_in_the_image(sandbox: Container) -> None:
    """They stand where the package puts them, and are printed by the command."""
    for words, text in {
        ("completion", "bash"): "complete -F _dms_relay dms-relay",
        ("man",): ".TH DMS\\-RELAY",
    }.items():
        assert text in sandbox.execute("dms-relay", *words)
    sandbox.execute("test", "-s", "/opt/dms-relay/share/man/man1/dms-relay.1")
