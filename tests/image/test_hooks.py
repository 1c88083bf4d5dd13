"""The hooks in /docker-entrypoint.d: when they run, in which order, and what a failing one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.image.engine import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.image.conftest import Starter
    from tests.image.engine import Container

#: Each test starts containers, which takes a processor for a second and more.
pytestmark = pytest.mark.one_in(3)
HOOKS = "/docker-entrypoint.d"


class Hooks:
    """Hooks of an operator, each mounted beside ours."""

    def __init__(self, directory: Path) -> None:
        """Take where to keep them."""
        self.directory = directory
        self.options: list[str] = []

    def add(self, name: str, text: str, mode: int = 0o755) -> None:
        """Make one."""
        path = self.directory / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(mode)
        self.options.append(f"--volume={path}:{HOOKS}/{name}:ro")


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    """Return a place for a test's hooks."""
    return Hooks(tmp_path)


def test_hooks_run_in_byte_order(start: Starter, hooks: Hooks) -> None:
    """An operator's hooks run between ours in byte order: digits, capitals, small letters; whatever the locale."""
    for name in ("a-last", "B-fourth", "15 third", "05-first", "100-second"):
        hooks.add(name, f"echo hook {name}, LC_ALL is $LC_ALL >&2")
    container = start.ready(*hooks.options, LC_ALL="C.UTF-8")
    lines = [line for line in container.log().splitlines() if line.startswith("hook ") or "is set up" in line]
    said = [f"hook {name}, LC_ALL is C.UTF-8" for name in ("05-first", "100-second", "15 third", "B-fourth", "a-last")]
    assert [line for line in lines if line.startswith("hook ")] == said
    # 10-postfix has its place too: after 05-first, before 100-second ("-" is before "0").
    assert "is set up" in lines[1]


def test_a_hook_between_ours(start: Starter, hooks: Hooks) -> None:
    """A hook between ours sees what 10-postfix has done and not yet what 20-relay does, and 20-relay sees what it did."""
    hooks.add(
        "15-mine",
        "echo now: $(postconf -h mydestination relayhost); echo RELAY_USER=mine > /tmp/docker-mailserver/relay.env",
    )
    options = ["--tmpfs=/tmp/docker-mailserver", *hooks.options]
    container = start.ready(*options, DEFAULT_RELAY_HOST="[relay.test]:587", RELAY_PASSWORD="secret")
    assert "now:" in container.log().splitlines()
    assert "mine:secret" in container.execute("cat", "/etc/postfix/sasl_passwd")
    assert container.execute("postconf", "-h", "relayhost") == "[relay.test]:587\n"


def test_a_hook_in_the_place_of_ours(start: Starter, hooks: Hooks) -> None:
    """A hook of the operator's that covers one of ours runs in its place, and the other one stays."""
    hooks.add("20-relay", "echo mine runs")
    container = start.ready(*hooks.options, DEFAULT_RELAY_HOST="[relay.test]:587")
    assert "mine runs" in container.log().splitlines()
    assert container.execute("postconf", "-h", "relayhost", "mydestination").strip() == ""


def test_our_hooks_are_taken_out(start: Starter, hooks: Hooks) -> None:
    """Where one of ours is covered by what is no executable file, it is skipped, and the other one runs."""
    hooks.add("10-postfix", "", mode=0o644)
    container = start(*hooks.options, DEFAULT_RELAY_HOST="[relay.test]:587")
    # Without 10-postfix, Postfix does not log to where the engine sees it.
    wait_for(lambda: "starting the Postfix mail system" in container.log(), "the start")
    assert f"notice: {HOOKS}/10-postfix is skipped: it is not an executable file" in container.log()
    assert container.execute("postconf", "-h", "relayhost") == "[relay.test]:587\n"


def test_ours_by_hand(start: Starter) -> None:
    """A hook of ours is a program of its own, which a person can run."""
    container = start.ready(DEFAULT_RELAY_HOST="[relay.test]:587")
    assert "nothing to do" in container.execute(f"{HOOKS}/20-relay").splitlines()


def test_a_process_of_ours_that_is_killed(start: Starter, hooks: Hooks) -> None:
    """Where our hooks do not come to their own end, the start stops, and the last line names what ran."""
    hooks.add("../boot", "kill -KILL $$")
    hooks.options = [option.replace(f"{HOOKS}/../boot", "/opt/dms-relay/bin/boot") for option in hooks.options]
    container = start(*hooks.options)
    assert container.wait_until_ended() == 137
    assert container.log().splitlines()[-1] == (
        f"docker-entrypoint: error: one of the hooks {HOOKS}/10-postfix {HOOKS}/20-relay {HOOKS}/30-user-files "
        "quick-start failed with exit code 137, so Postfix is not started"
    )


def test_a_hook_is_executed_not_sourced(start: Starter, hooks: Hooks) -> None:
    """What a hook does to its shell (variables, exit 0, directory, traps) stays in it."""
    hooks.add("05-own", "cd /tmp; RELAY_PORT=abc; export RELAY_PORT; trap '' TERM; set -e; exit 0")
    container = start.ready(*hooks.options)
    assert container.stop()[0] == 0


def test_a_failing_hook_stops_the_start(start: Starter, hooks: Hooks) -> None:
    """A hook that fails is named with its exit code, which becomes the container's; no later hook runs, nor Postfix."""
    hooks.add("15-fails", "exit 7")
    hooks.add("16-later", "echo too late")
    container = start(*hooks.options)
    assert container.wait_until_ended() == 7
    lines = container.log().splitlines()
    assert lines[-1] == (
        f"docker-entrypoint: error: the hook {HOOKS}/15-fails failed with exit code 7, so Postfix is not started"
    )
    assert "too late" not in lines
    assert "starting the Postfix mail system" not in container.log()


def test_a_hook_that_cannot_be_run_stops_the_start(start: Starter, tmp_path: Path) -> None:
    """An executable file whose interpreter is missing is a failing hook."""
    hook = tmp_path / "hook"
    hook.write_text("#!/no/such/shell\n")
    hook.chmod(0o755)
    container = start(f"--volume={hook}:{HOOKS}/15-broken:ro")
    assert container.wait_until_ended() == 127
    assert f"the hook {HOOKS}/15-broken failed with exit code 127" in container.log()


def test_what_is_not_executable_is_skipped(start: Starter, hooks: Hooks, tmp_path: Path) -> None:
    """A file that is not executable, or a directory, is skipped with a notice, and the start goes on."""
    hooks.add("15-readme", "exit 7", mode=0o644)
    (tmp_path / "directory").mkdir()
    container = start.ready(*hooks.options, f"--volume={tmp_path}/directory:{HOOKS}/16-directory:ro")
    for name in ("15-readme", "16-directory"):
        assert (
            f"docker-entrypoint: notice: {HOOKS}/{name} is skipped: it is not an executable file"
            in container.log().splitlines()
        )


def test_other_commands_run_without_hooks(start: Starter, hooks: Hooks) -> None:
    """``dms-relay show`` shows, also with settings that would stop a start; its exit code is the container's."""
    hooks.add("05-own", "echo a hook ran")
    options = [*hooks.options, "--rm", "--no-healthcheck", f"--network={start.network}"]
    settings = ["--env=PERMIT_DOCKER=everyone", "--env=DEFAULT_RELAY_HOST=[relay.test]:587"]
    said = start.engine.call("run", *options, *settings, start.image, "dms-relay", "show")
    assert "[relay.test]:587" in said
    assert "a hook ran" not in said
    assert "PERMIT_DOCKER" not in said
    container = start(*hooks.options, command=("sh", "-c", "exit 9"))
    assert container.wait_until_ended() == 9


def test_another_command_takes_the_place_of_the_shell(start: Starter) -> None:
    """A command that is not the default one is process 1 itself."""
    container: Container = start(command=("sleep", "60"))
    assert container.execute("cat", "/proc/1/comm") == "sleep\n"
