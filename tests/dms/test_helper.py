"""The helper relay.sh by itself, and the build that puts it into place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.image.conftest import Starter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.image.engine import Container, Engine

STRICT = "set -euE -o pipefail; trap 'echo an error' ERR; "
RELAY = "/usr/local/bin/helpers/relay.sh"
PYTHON = "/opt/dms-relay/bin/python"


@pytest.fixture(scope="module")
def sandbox(engine: Engine, image: str, network: str) -> Iterator[Container]:
    """Yield a container of our image in which nothing runs."""
    starter = Starter(engine, image, network)
    yield starter(command=("sleep", "3600"))
    starter.clean_up()


def bash(sandbox: Container, script: str) -> str:
    """Run a script in the container and give what it says, both streams in order."""
    return sandbox.execute("bash", "-c", f"exec 2>&1; {script}")


def test_sourcing_does_nothing(sandbox: Container) -> None:
    """Sourced under the strictest options it says nothing, and defines DMS's two functions, the check, and its own names."""
    names = "{ compgen -v; declare -F; } | grep -v -e ^BASH -e ^_$ -e PIPESTATUS"
    said = bash(sandbox, f"{STRICT} diff <({names}) <(source {RELAY}; {names}) || true")
    functions = sorted(line.split()[-1] for line in said.splitlines() if line.startswith(">"))
    assert functions == [
        "__DMS_RELAY_APPLIED_AT",
        "__DMS_RELAY_NAMES",
        "__dms_relay_apply",
        "__dms_relay_check",
        "__dms_relay_log",
        "__dms_relay_log_all",
        "__dms_relay_run",
        "__dms_relay_tell_of_files",
        "_check_relay_settings",
        "_process_relayhost_configs",
        "_setup_relayhost",
    ]
    assert "<" not in said


def test_all_helpers_under_strict_options(sandbox: Container) -> None:
    """docker-mailserver's setup sources all helpers under these options, and goes on."""
    assert bash(sandbox, f"{STRICT} source /usr/local/bin/helpers/index.sh; echo on") == "on\n"


FUNCTIONS = ["_check_relay_settings", "_setup_relayhost", "_process_relayhost_configs"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_under_strict_options(sandbox: Container, function: str) -> None:
    """All three work under these options, where nothing is set and where nothing exports LOG_LEVEL."""
    script = f"{STRICT} source /usr/local/bin/helpers/index.sh; {function}; echo on"
    said = bash(sandbox, script).splitlines()
    assert said[-1] == "on"
    assert "an error" not in said


def test_a_wrong_setting_under_strict_options(sandbox: Container) -> None:
    """Check and set-up panic and return 1; the change detector's function logs, returns 0, and never panics.

    Nor does the check where docker-mailserver goes on with what it has set up before.
    """
    panic = '_dms_panic__general() { echo "panic: $1"; }; '
    script = f"{STRICT} source /usr/local/bin/helpers/index.sh; {panic} export RELAY_HOST=r RELAY_PORT=70000; "
    for function in ("_check_relay_settings", "_setup_relayhost"):
        said = bash(sandbox, f"{script} {function} || echo returned $?")
        assert said.count('env RELAY_PORT: port "70000"') == 1
        assert said.splitlines()[-1] == "returned 1"
        assert said.count("panic: ") == 1
    later = "touch /CONTAINER_START; _check_relay_settings; rm /CONTAINER_START"
    for function in ("_process_relayhost_configs", later):
        said = bash(sandbox, f"{script} {function}; echo returned $?")
        assert said.count('env RELAY_PORT: port "70000"') == 1
        assert said.splitlines()[-1] == "returned 0"
        assert "panic: " not in said


def test_what_is_no_log_line_is_shown(sandbox: Container) -> None:
    """A failure without a log line, such as a program that is not there, is shown as an error, backslashes and all."""
    missing = "env() { printf '%s\\n' 'no such: C:\\new'; return 127; }; "
    said = bash(sandbox, f"{STRICT} source /usr/local/bin/helpers/index.sh; {missing} _process_relayhost_configs")
    assert "no such: C:\\new\n" in said
    assert "ERROR" in said


def test_everything_is_compiled_for_the_python_there(sandbox: Container) -> None:
    """The package runs on docker-mailserver's own Python, compiled for it, and no package installer is with it."""
    name = sandbox.execute(PYTHON, "-I", "-c", "import dms_relay.cli as c; print(c.__cached__)").strip()
    assert sandbox.execute("stat", "-c", "%F", name) == "regular file\n"
    assert sandbox.execute("sh", "-c", "ls /opt/dms-relay/bin | grep pip || echo none") == "none\n"


#: Runs the build's last step on a damaged /usr/local/bin, shows its exit code and what it has changed, and repairs all.
INSTALL = """
cp -a /usr/local/bin /usr/bin/python3 /tmp
{damage}
cp -a /usr/local/bin /tmp/before
/opt/dms-relay/dms/install; echo "exit code $?"
diff -r /usr/local/bin /tmp/before && echo nothing is changed
rm -rf /usr/local/bin /tmp/before; mv /tmp/bin /usr/local/bin; mv -f /tmp/python3 /usr/bin
"""


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("rm helpers/relay.sh", "/usr/local/bin/helpers/relay.sh is not in the base image"),
        ("rm addsaslpassword", "/usr/local/bin/addsaslpassword is not in the base image"),
        ("sed -i s/_dms_panic__general/_panic/ helpers/error.sh", "nothing in .* defines _dms_panic__general"),
        (
            "sed -i s/_process_relayhost_configs/_x/ check-for-changes.sh",
            "nothing in .* calls _process_relayhost_configs",
        ),
        ("sed -i 's/( add-auth /( add-login /' setup", "looked for a relay case"),
        ("sed -i /_check_hostname/d start-mailserver.sh", "does not have one line: _register_check_function"),
        ("rm /usr/bin/python3", "its Python is not the one that dms-relay is built for"),
    ],
)
def test_another_base_is_refused(sandbox: Container, damage: str, message: str) -> None:
    """Where a part of docker-mailserver is not as expected, the build's last step fails, names it, and changes nothing."""
    said = bash(sandbox, INSTALL.format(damage=f"cd /usr/local/bin; {damage}; cd /"))
    assert re.search(f"(?m)^dms-relay: .*{message}", said)
    assert said.endswith("exit code 1\nnothing is changed\n")
