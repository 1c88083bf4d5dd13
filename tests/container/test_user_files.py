"""The step ``user-files``: the operator's own Postfix settings, in the image's start."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dms_relay.sources
from dms_relay.container import boot, settings, user_files
from dms_relay.container.settings import ContainerHost
from dms_relay.model import Paths
from dms_relay.postfix import main_cf
from dms_relay.postfix.programs import Postfix
from tests.support.machine import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.sandbox import Sandbox

MAIN = "postfix-main.cf"
DEFAULT = {"DEFAULT_RELAY_HOST": "[r.test]:587"}


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dms_relay.sources, "USER_FILES_HOOK", Path(sys.executable))


def start(sandbox: Sandbox, host: str = "one.test", *, is_relay_left_out: bool = False) -> None:
    """Take the steps that write, on a container of that name."""
    wanted = settings.parameters({}, ContainerHost(host, ()))
    settings.set_up(Postfix(sandbox.postfix_dir), wanted)
    if not is_relay_left_out:
        sandbox.apply(**DEFAULT)
    own(sandbox)


def own(sandbox: Sandbox) -> None:
    """Take the step itself."""
    assert user_files.run(DEFAULT, None, Paths(sandbox.config_dir, sandbox.postfix_dir)) == os.EX_OK


def found(sandbox: Sandbox) -> dict[str, str]:
    """Return what main.cf sets."""
    return main_cf.values(sandbox.main_cf.read_text())


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Return a sandbox whose services run in no chroot."""
    prepare(sandbox)
    path = sandbox.postfix_dir / "master.cf"
    path.write_text(path.read_text().replace("   y   ", "   n   "))
    return sandbox


def test_they_win_over_what_the_image_sets(box: Sandbox) -> None:
    """Also at the next start, which writes nothing; with another name of the container that is what comes back."""
    box.write(MAIN, "myhostname = own.test\nmynetworks = 10.0.0.0/8\n")
    start(box)
    assert (found(box)["myhostname"], found(box)["mynetworks"]) == ("own.test", "10.0.0.0/8")
    before = box.snapshot()
    start(box)
    assert box.snapshot() == before
    start(box, "two.test")
    assert found(box)["myhostname"] == "own.test"
    box.write(MAIN, "")
    start(box, "two.test")
    assert (found(box)["myhostname"], found(box)["mynetworks"]) == ("two.test", "127.0.0.0/8 [::1]/128")


@pytest.mark.parametrize("host", ["one.test", "two.test"])
def test_a_line_goes_while_the_container_is_stopped(box: Sandbox, host: str) -> None:
    """The next start ends as a first one, whatever the container is called by then."""
    start(box, host)
    fresh = found(box)
    box.write(MAIN, f"myhostname = {host}\nmessage_size_limit = 1\n")
    start(box, "one.test")
    (box.config_dir / MAIN).unlink()
    start(box, host)
    assert found(box) == fresh


def test_they_win_over_a_hook_in_between(box: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """What a hook between the relays and this step has set is overridden."""
    box.write(MAIN, "message_size_limit = 1\n")
    box.write("postfix-master.cf", "smtp/unix/smtp_helo_name=own.test\n")
    start(box)
    text = box.main_cf.read_text().replace("message_size_limit = 1", "message_size_limit = 2")
    box.main_cf.write_text(text)
    capsys.readouterr()
    own(box)
    assert found(box)["message_size_limit"] == "1"
    own(box)
    assert capsys.readouterr().out == "applied: 0 tables and 1 parameter changed\n"


def test_without_the_hook_of_the_relays(box: Sandbox) -> None:
    """It applies the files, and leaves relays alone; also a file that goes again."""
    start(box, is_relay_left_out=True)
    fresh = found(box)
    box.write(MAIN, "message_size_limit = 1\nsmtp_tls_security_level = may\n")
    start(box, is_relay_left_out=True)
    assert found(box) == fresh | {"message_size_limit": "1", "smtp_tls_security_level": "may"}
    (box.config_dir / MAIN).unlink()
    start(box, is_relay_left_out=True)
    assert found(box) == fresh
    assert not (box.postfix_dir / "relayhost_map").exists()


def test_without_files_it_does_nothing(box: Sandbox) -> None:
    """Not even read the inputs, which are wrong here."""
    box.write("postfix-relaymap.cf", "@one.test [bad")
    own(box)


def test_right_behind_the_relays_it_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There it has nothing to do; behind anything else it is taken."""
    taken: list[str] = []

    def step(name: str) -> Callable[..., int]:
        def take(*_: object) -> int:
            taken.append(name)
            return 0

        return take

    for name in boot.STEPS:
        monkeypatch.setitem(boot.STEPS, name, step(name))
    hooks = [f"/docker-entrypoint.d/{name}" for name in ("10-postfix", "20-relay", "30-user-files")]
    assert boot.main(["--start", *hooks, "quick-start"], {}) == 0
    assert taken == ["postfix", "relay", "quick-start"]
    assert boot.main([hooks[2]], {}) == 0
    assert taken[3:] == ["user-files"]
    assert boot.main([hooks[1], "15-postfix", hooks[2]], {}) == 0
    assert taken[4:] == ["relay", "postfix", "user-files"]
    assert capsys.readouterr().err == ""
