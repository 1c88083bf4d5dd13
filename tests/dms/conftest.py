"""Fixtures of the tests inside docker-mailserver: stand-in images on Debian 12 and 13, ours on top, relays, mail servers.

Without an engine, or without the Debian image and a registry to have it from, the tests skip with the reason; with
``REQUIRE_IMAGE_TESTS=1`` that is a failure.
"""

from __future__ import annotations

from hashlib import sha512
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.image.conftest import Relay, Starter, engine, give_up, network, start_relay
from tests.image.engine import PATIENCE, READY, Container, send, wait_for
from tests.support.amounts import seed_of
from tests.support.cases import OPTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.image.engine import Engine

__all__ = ["engine", "network"]

BASE = Path(__file__).with_name("base")
#: Debian's versions, and how log lines look on each: as in docker-mailserver since version 14, and as before.
LOOKS = {"bookworm": "dated", "trixie": "brackets"}
CONFIG_DIR = "/tmp/docker-mailserver"  # noqa: S108 -- in a container
#: Where Postfix's log is, and the change detector's.
MAIL_LOG = "/var/log/mail/mail.log"
DETECTOR_LOG = "/var/log/supervisor/changedetector.log"
#: Where it keeps the checksums of what it has taken up.
CHECKSUMS = "/tmp/docker-mailserver-config-chksum"  # noqa: S108 -- the same
#: Seconds in which a message leaves by itself, unless nobody looks for it.
UNAIDED = 30.0
#: The login of the tests' default relay.
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": "p:ass w$rd"}
DEFAULT = {"RELAY_HOST": "relay.test", "RELAY_PORT": "587", **LOGIN}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have ``make test`` use one of Debian's versions, which is drawn for each run; otherwise each test runs on both.

    The images of a version cost a minute of two processors.
    """
    if not config.getoption(OPTION):
        return
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        (kept if _is_drawn(item) else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def _is_drawn(item: pytest.Item) -> bool:
    """Return True unless a test is for the version that is not drawn."""
    names = sorted(LOOKS)
    suite = getattr(item, "callspec", None) and item.callspec.params.get("suite")  # type: ignore[attr-defined]
    return suite is None or suite == names[seed_of("Debian") % len(names)]


@pytest.fixture(scope="session", params=[pytest.param(name, marks=pytest.mark.soak) for name in LOOKS])
def suite(request: pytest.FixtureRequest) -> str:
    """Name the version of Debian."""
    return str(request.param)


@pytest.fixture(scope="session")
def base(engine: Engine, suite: str) -> str:
    """Build the stand-in for docker-mailserver; give its tag."""
    debian, tag = f"debian:{suite}-slim", f"dms-relay-base:{suite}"
    if not engine.has(debian):
        give_up(f"{debian} is neither here nor to be had")
    engine.build(f"--build-arg=BASE={debian}", f"--build-arg=LOOK={LOOKS[suite]}", context=BASE, tag=tag)
    return tag


@pytest.fixture(scope="session")
def image(engine: Engine, suite: str, base: str) -> str:
    """Build our image on the stand-in; give its number."""
    return engine.build("--target=dms", f"--build-arg=DMS_BASE={base}", tag=f"dms-relay-in-dms:{suite}")


class Relays:
    """Two relays, known as ``relay.test`` and ``other.test``."""

    def __init__(self, starter: Starter, directory: Path) -> None:
        """Start both."""
        self.relay, self.other = (self._start(starter, directory, host) for host in ("relay.test", "other.test"))

    @staticmethod
    def _start(starter: Starter, directory: Path, host: str) -> Relay:
        (directory / host).mkdir()
        return start_relay(starter, host, directory / host)

    def taker(self, server: Mailserver, domain: str) -> str:
        """Send a message from a domain; give the relay's host name and the login's user name, as it arrived."""
        both = {"relay.test": self.relay, "other.test": self.other}
        sender = send(server, domain)
        server.wait_for_mail(lambda: any(relay.received(sender) for relay in both.values()), f"{sender} at a relay")
        [(host, record)] = [(host, record) for host, relay in both.items() for record in relay.received(sender)]
        assert record["tls"] is True
        return f"{record['login'][0]} at {host}"


@pytest.fixture(scope="session")
def relays(engine: Engine, base: str, network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relays]:
    """Start the relays, in containers of the stand-in."""
    starter = Starter(engine, base, network)
    yield Relays(starter, tmp_path_factory.mktemp("relays"))
    starter.clean_up()


class Mailserver(Container):
    """A container of our image, with its configuration directory on this machine."""

    def __init__(self, started: Container, config: Path) -> None:
        """Take a container that is about to start."""
        super().__init__(started.engine, started.name, started.number)
        self.config = config

    def edit(self, name: str, text: str) -> None:
        """Write a file of the configuration directory at once, as an editor does."""
        new = self.config / "new"
        new.write_text(text)
        new.replace(self.config / name)

    def detector_log(self) -> str:
        """Return what the change detector has said so far."""
        return self.execute("cat", DETECTOR_LOG)

    def wait_inside(self, condition: str) -> None:
        """Wait until a shell's condition holds in the container, which costs less than many looks from outside."""
        loop = f"until {condition} 2>/dev/null; do sleep 0.1; done"
        self.execute("timeout", f"{PATIENCE:g}", "sh", "-c", loop)

    def wait_for_log(self, *parts: str) -> None:
        """Wait until each part is in the log."""
        self.wait_for_mail(lambda: all(part in self.log() for part in parts), f"{self.name}: {parts}")

    def wait_for_mail(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that a message does; call for a queue manager where it does not do it in time.

        The change detector's own ``postfix reload`` can leave a message to itself for 300 s: see ``Postfix.reload``.
        """
        try:
            wait_for(condition, what, UNAIDED)
        except AssertionError:
            self.execute("postkick", "public", "qmgr", "I")
            wait_for(condition, what)

    def change(self, name: str, text: str) -> str:
        """Edit a file and wait until the change detector is through with it; give what it said about it."""
        before = self.detector_log()
        self.edit(name, text)
        checksum = sha512(text.encode()).hexdigest()
        self.wait_inside(f"grep -q {checksum} {CHECKSUMS}")
        return self.detector_log()[len(before) :]


class Boot:
    """Starts mail servers."""

    def __init__(self, starter: Starter, config: Path) -> None:
        """Take what they have in common: one test has one configuration directory."""
        self.starter = starter
        self.config = config

    def __call__(self, *options: str, **environ: str) -> Mailserver:
        """Start one; do not wait for it."""
        started = self.starter(f"--volume={self.config}:{CONFIG_DIR}", *options, command=(), **environ)
        return Mailserver(started, self.config)

    def ready(self, *options: str, **environ: str) -> Mailserver:
        """Start one, and wait until its Postfix takes mail and its change detector runs."""
        server = self(*options, **environ)
        server.wait_inside(f"grep -q '{READY}' {MAIL_LOG} && test -e {DETECTOR_LOG}")
        return server


def new_config(directory: Path) -> Path:
    """Make a configuration directory, with one account in example.test."""
    config = directory / "config"
    config.mkdir()
    (config / "postfix-accounts.cf").write_text("user@example.test|{SHA512-CRYPT}x\n")
    return config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a test's configuration directory."""
    return new_config(tmp_path)


@pytest.fixture
def boot(engine: Engine, image: str, network: str, config: Path) -> Iterator[Boot]:
    """Yield what starts a test's mail servers."""
    starter = Starter(engine, image, network)
    yield Boot(starter, config)
    starter.clean_up()
