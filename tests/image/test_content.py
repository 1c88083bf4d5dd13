"""What is in the image, and what it says about itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.image.engine import ROOT, EngineError, wait_for

if TYPE_CHECKING:
    from tests.image.conftest import Starter
    from tests.image.engine import Container, Engine

#: What a Dockerfile holds that only BuildKit understands.
BUILDKIT = re.compile(r"(?m)^# *syntax *=|^(?:COPY|ADD|RUN) .*(?:--(?:chmod|link|mount|network|security)\b|<<)")
PYTHON = "/opt/dms-relay/bin/python"
#: Prints each source of a module that has no compiled file.
NOT_COMPILED = """
import importlib.util, pathlib, sys
for path in pathlib.Path("/opt/dms-relay/lib").rglob("*.py"):
    if not pathlib.Path(importlib.util.cache_from_source(str(path))).exists():
        print(path)
"""


def health_check(engine: Engine, image: str) -> tuple[str, ...]:
    """Return the health check's command."""
    found = engine.image(image)
    check = found["Config"].get("Healthcheck") or found["Healthcheck"]  # docker, podman
    kind, *command = check["Test"]
    assert kind == "CMD"
    return tuple(command)


def test_the_health_check_asks_for_the_greeting(engine: Engine, image: str, start: Starter) -> None:
    """It succeeds where Postfix greets, leaves no sign of trouble in the log, and fails where Postfix is not."""
    command = health_check(engine, image)
    container = start.ready()
    assert container.execute(*command) == ""
    wait_for(
        lambda: "disconnect from localhost[127.0.0.1] quit=1 commands=1" in container.log(), "the end of the check"
    )
    assert "lost connection" not in container.log()
    without = start(command=("sleep", "60"))
    with pytest.raises(EngineError, match="exit code 1"):
        without.execute(*command)


def test_a_failing_greeting_fails_the_health_check(engine: Engine, image: str, start: Starter) -> None:
    """A server that greets with anything but 220 is not healthy."""
    server = "import socket; s = socket.create_server(('', 25)); print('up', flush=True)\n"
    server += "while True: s.accept()[0].sendall(b'421 4.3.2 no\\r\\n')"
    container = start(command=("python3", "-c", server))
    wait_for(lambda: "up" in container.log(), "the server")
    with pytest.raises(EngineError, match="exit code 1"):
        container.execute(*health_check(engine, image))


def test_what_outlives_a_container_is_a_volume(engine: Engine, image: str) -> None:
    """The image declares volumes for the queue and for tokens, the SMTP port, and the default command."""
    config = engine.image(image)["Config"]
    assert sorted(config["Volumes"]) == ["/var/lib/dms-relay", "/var/spool/postfix"]
    assert list(config["ExposedPorts"]) == ["25/tcp"]
    assert (config["Entrypoint"], config["Cmd"]) == (["docker-entrypoint.sh"], ["postfix", "start-fg"])


@pytest.fixture(scope="session")
def sandbox(long_lived: Starter) -> Container:
    """Return a container in which nothing runs, to look around in."""
    return long_lived(command=("sleep", "3600"))


@pytest.mark.parametrize("program", ["gcc", "cc", "g++", "make", "pip", "pip3", "/opt/dms-relay/bin/pip"])
def test_nothing_that_builds_is_left(sandbox: Container, program: str) -> None:
    """No compiler and no package installer is in the image."""
    assert sandbox.execute("sh", "-c", f"command -v {program} || echo none") == "none\n"


@pytest.mark.parametrize("package", ["pip", "setuptools", "rich", "colorama", "hatchling"])
@pytest.mark.parametrize("python", [PYTHON, "python3"])
def test_no_package_that_is_not_needed(sandbox: Container, python: str, package: str) -> None:
    """Nothing that only builds, or that structlog would import and pay for, is installed."""
    script = f"import importlib.util; print(importlib.util.find_spec({package!r}))"
    assert sandbox.execute(python, "-I", "-c", script) == "None\n"


def test_everything_is_compiled(sandbox: Container) -> None:
    """Each module of ours and of our dependencies has its compiled file: without, each start would cost 300 ms more."""
    assert sandbox.execute(PYTHON, "-I", "-c", NOT_COMPILED) == ""
    assert "dms_relay/container/__pycache__/boot.cpython-" in sandbox.execute(
        "find", "/opt/dms-relay/lib", "-name", "boot.*"
    )


@pytest.mark.parametrize("program", ["dms-relay", "boot"])
def test_a_start_reads_the_bundle(sandbox: Container, program: str) -> None:
    """What a start imports comes out of the bundle: sources and times are still those that it was made of."""
    script = (
        f"exec(open('/opt/dms-relay/bin/{program}').read().rpartition('from dms_relay')[0]); "
        "import structlog, sys, dms_relay.container.boot, dms_relay.commands.apply; "
        "names = [n for n in sys.modules if n.startswith(('dms_relay', 'structlog'))]; "
        "print({type(sys.modules[n].__spec__.loader).__name__ for n in names})"
    )
    assert sandbox.execute(PYTHON, "-IS", "-c", script) == "{'BundleFinder'}\n"


def test_no_cache_is_left(sandbox: Container) -> None:
    """Neither pip nor apt has left what it downloaded."""
    for directory in ("/root/.cache", "/var/lib/apt/lists", "/var/cache/apt/archives", "/src", "/build", "/wheels"):
        assert sandbox.execute("sh", "-c", f"find {directory} -type f ! -name lock 2>/dev/null | head -n 3") == "", (
            directory
        )


def test_the_command_is_on_the_path(sandbox: Container) -> None:
    """``dms-relay`` is found and runs."""
    assert sandbox.execute("dms-relay", "--version").startswith("dms-relay ")


def test_the_owner_of_the_queue_has_a_fixed_number(sandbox: Container) -> None:
    """The user and groups of the queue have the same numbers in each image that is built, so that a volume fits the next."""
    assert sandbox.execute("id", "postfix") == "uid=901(postfix) gid=901(postfix) groups=901(postfix)\n"
    assert sandbox.execute("getent", "group", "postdrop") == "postdrop:x:902:\n"


def test_modes_in_the_image(sandbox: Container) -> None:
    """What runs at the start belongs to root, and nobody else may write it."""
    programs = "/opt/dms-relay/bin/boot /usr/local/bin/docker-entrypoint.sh /usr/local/bin/setup"
    said = sandbox.execute("sh", "-c", f"stat -c '%a %U %n' {programs} /docker-entrypoint.d/*")
    expected = [
        "/opt/dms-relay/bin/boot",
        "/usr/local/bin/docker-entrypoint.sh",
        "/usr/local/bin/setup",
        "/docker-entrypoint.d/10-postfix",
        "/docker-entrypoint.d/20-relay",
        "/docker-entrypoint.d/30-user-files",
    ]
    assert said.splitlines() == [f"755 root {name}" for name in expected]


def test_only_what_is_needed_is_on_the_paths(sandbox: Container) -> None:
    """Beside the interpreter only our programs are there: no activate, and none of the packages' programs."""
    names = sandbox.execute("ls", "/opt/dms-relay/bin").split()
    assert [name for name in names if not name.startswith("python")] == ["boot", "dms-relay", "keeper"]
    for name in ("activate", "cffi-gen-src", "dotenv", "idna"):
        assert sandbox.execute("sh", "-c", f"command -v {name} || echo none") == "none\n"


def test_no_program_gives_rights_that_are_not_needed(sandbox: Container) -> None:
    """Set-uid programs are not there, and of set-gid ones only those that Postfix needs for users other than root."""
    found = sandbox.execute("find", "/", "-xdev", "-type", "f", "-perm", "/6000", "-printf", "%m %g %p\\n")
    assert sorted(found.splitlines()) == ["2555 postdrop /usr/sbin/postdrop", "2555 postdrop /usr/sbin/postqueue"]


def test_the_copy_of_the_configuration_is_complete(sandbox: Container) -> None:
    """What an empty /etc/postfix is filled with is what the image has there, with modes, owners and times."""
    listing = (
        "cd {} && find . -printf '%p %m %u:%g %s %T@ %l\\n' | sort && find . -type f -exec sha256sum {{}} + | sort"
    )
    script = listing.format("/etc/postfix"), listing.format("/usr/share/dms-relay/postfix")
    own, copy = (sandbox.execute("sh", "-c", text) for text in script)
    assert own == copy


def test_nothing_runs_in_the_chroot(sandbox: Container) -> None:
    """No service of the image's master.cf runs in the chroot, so that a start has nothing to change in it."""
    assert set(sandbox.execute("postconf", "-hF", "*/*/chroot").split()) == {"n"}


def test_the_queue_is_ready(sandbox: Container) -> None:
    """A new volume begins with the queue's directories, and with nothing in them that came from the build."""
    assert "deferred" in sandbox.execute("ls", "/var/spool/postfix").split()
    assert sandbox.execute("find", "/var/spool/postfix", "!", "-type", "d") == ""


def test_the_plugin_is_there(sandbox: Container) -> None:
    """The SASL plugin is where Cyrus SASL looks, belongs to root alone, and can be loaded; no compiler is left."""
    looks = "from dms_relay.postfix import sasl_plugin as s; print(s.missing() or s.directories()[0] + '/' + s.PLUGIN)"
    path = sandbox.execute(PYTHON, "-c", looks).strip()
    assert sandbox.execute("stat", "-c", "%a %u %g", path).strip() == "644 0 0"
    sandbox.execute("python3", "-c", f"import ctypes; ctypes.CDLL('{path}').sasl_client_plug_init")
    assert sandbox.execute("sh", "-c", "command -v gcc cc || true") == ""


def test_the_build_gets_only_what_it_needs() -> None:
    """Nothing of the checkout beside what the Dockerfile copies goes to the builder, and so into a layer by mistake."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if line[:1] not in "#!"] == ["*", "**/__pycache__"]


def test_the_compose_file_is_safe() -> None:
    """The compose file lets the containers beside it send, and publishes no port (see also ``tests/test_compose.py``)."""
    relay = yaml.safe_load((ROOT / "compose.yaml").read_text())
    service = relay["services"]["relay"]
    assert service["environment"]["PERMIT_DOCKER"] == "connected-networks"
    assert "ports" not in service
    config, queue, state = service["volumes"]
    assert config == "./relay/config:/tmp/docker-mailserver:ro"
    assert (queue, state) == ("queue:/var/spool/postfix", "state:/var/lib/dms-relay")
    assert relay["secrets"]["relay_password"]["file"] == "./relay/relay_password"
    assert service["environment"]["RELAY_PASSWORD__FILE"] == "/run/secrets/relay_password"


def test_no_dockerfile_needs_buildkit() -> None:
    """Docker 20.10 builds without BuildKit, which these words need."""
    for path in (ROOT / "Dockerfile", ROOT / "tests" / "dms" / "base" / "Dockerfile"):
        assert BUILDKIT.findall(path.read_text()) == []
