"""The machine of walks with access tokens: a relay that takes what an endpoint issues, and a Postfix that has our plugin.

``t.test`` and ``smtp.gmail.com`` take tokens and PASSWORD. A keeper is there, by its lock, unless a walk says otherwise.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from dms_relay.files.keeper_lock import LOCK, is_keeper_running
from dms_relay.postfix.sasl_plugin import PLUGIN
from testbed import Inputs
from testbed.modes import Auth, Mode, Tls
from testbed.token_rules import OAuth2Client
from tests.running.walks import PASSWORD
from tests.running.walks.scene import PATIENCE, Scene
from tests.watch.keeping import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed import Postfix, Testbed
    from testbed.token_server import TokenServer
    from tests.running.walks import Deed, Walk
    from tests.sasl.plugin import Plugin

SECRET = "s3cret-of-us"
USER = "user"
NAMES = ("t.test", "smtp.gmail.com")
#: Seconds between two looks of the person who agrees.
_AGREES = 0.2


class TokenScene(Scene):
    """The same, with an endpoint and a plugin."""

    def __init__(
        self, testbed: Testbed, postfix: Postfix, base: tuple[str, str], endpoint: TokenServer, plugin: Plugin
    ) -> None:
        """Use them; Postfix was started so that it finds the plugin."""
        super().__init__(testbed, postfix, base)
        self.endpoint = endpoint
        self.plugin = plugin
        self.lock = ExitStack()

    def reset(self, walk: Walk) -> None:
        """Have no token, and a keeper."""
        self.lock.close()
        super().reset(walk)
        self.endpoint.clients = {"us": OAuth2Client(secret=SECRET), "device": OAuth2Client()}
        self.state.mkdir(mode=0o700)
        self.lock.enter_context(kept(self))

    def fill(self, text: str) -> str:
        """Return a text with the endpoint's addresses, and the relays' ports."""
        words = {"{token}": self.endpoint.token_url, "{device}": self.endpoint.device_url}
        words |= {f"{{{name} port}}": str(relay.port) for name, relay in self.testbed.relays.items()}
        for word, meant in words.items():
            text = text.replace(word, meant)
        return super().fill(text)


def relays_with_tokens(testbed: Testbed, endpoint: TokenServer) -> None:
    """Start the relays."""
    for name in NAMES:
        testbed.relay(name, Mode(Tls.DEMANDED, Auth.DEMANDED, {USER: PASSWORD}, tokens=endpoint.accepts))


@contextmanager
def kept(scene: Scene) -> Iterator[None]:
    """Hold the lock that a keeper holds."""
    with (scene.state / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def of(scene: Scene) -> TokenScene:
    """Return the scene as what it is."""
    assert isinstance(scene, TokenScene)
    return scene


def without_keeper(scene: Scene) -> None:
    """End the keeper."""
    of(scene).lock.close()


def with_keeper(scene: Scene) -> None:
    """Start a real keeper, which is ended before the next walk."""
    directories = ("--config-dir", str(scene.config), "--postfix-dir", str(scene.postfix.config))
    process = subprocess.Popen(
        [sys.executable, "-m", "dms_relay", *directories, "watch"],
        env={"PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}", **scene.settings()},
        stderr=subprocess.DEVNULL,
    )
    of(scene).lock.callback(process.wait, PATIENCE)
    of(scene).lock.callback(process.terminate)
    wait_until(lambda: is_keeper_running(scene.state), "the keeper has its lock")


def changed_secret(scene: Scene) -> None:
    """Have the client's secret changed at the provider."""
    of(scene).endpoint.clients["us"] = OAuth2Client(secret=f"{SECRET}-2")


def failing(*command: str) -> Deed:
    """Return the deed of running a command that fails."""

    def do(scene: Scene) -> None:
        assert Inputs(scene.config, **scene.settings()).run(scene.postfix, *command).returncode != 0

    return do


def agreeing(command: str) -> Deed:
    """Return the deed of running a printed command while a person agrees."""

    def do(scene: Scene) -> None:
        assert f"dms-relay {command}" in scene.said
        is_over = threading.Event()

        def person() -> None:
            while not is_over.wait(_AGREES):
                of(scene).endpoint.agree(USER)

        thread = threading.Thread(target=person)
        thread.start()
        try:
            scene.run(f"dms-relay {command}")
        finally:
            is_over.set()
            thread.join()

    return do


def plugins(*names: str) -> Deed:
    """Return the deed of installing plugins where main.cf has them looked for."""

    def do(scene: Scene) -> None:
        directory = scene.config.with_name("plugins")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for name in names:
            shutil.copy(of(scene).plugin.directory / PLUGIN, directory / name)

    return do
