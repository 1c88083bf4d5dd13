"""An operator's inputs: a configuration directory and settings, and `dms-relay` run on them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from testbed.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from testbed.postfix import Postfix

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"


class ApplyError(Exception):
    """`dms-relay` ended with an exit code other than 0."""


def started(arguments: Sequence[str], env: Mapping[str, str], feed: str = "") -> subprocess.CompletedProcess[str]:
    """Start `dms-relay` with these arguments and this environment, and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "dms_relay", *arguments],
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        input=feed,
    )


class Inputs:
    """A configuration directory, and the settings in the environment."""

    start = staticmethod(started)
    """The command that starts `dms-relay`."""

    def __init__(self, directory: Path, **settings: str) -> None:
        """Use `directory`, which is created if it is missing, and `settings` such as RELAY_HOST."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.settings = dict(settings)

    def write(self, name: str, text: str | None) -> None:
        """Write the file `name` of the configuration directory; None removes it."""
        path = self.directory / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
            if not text.endswith("\n"):  # a file without a final line end counts as incomplete for 2 s
                os.utime(path, (0, 0))
            path.chmod(0o600)

    def manage(self, postfix: Postfix, domains: Iterable[str]) -> None:
        """Set the mail domains that the server manages (`vhost`)."""
        (postfix.config / "vhost").write_text("".join(f"{domain}\n" for domain in domains))

    def run(self, postfix: Postfix, *command: str, feed: str = "") -> subprocess.CompletedProcess[str]:
        """Run `dms-relay` on `postfix` with these inputs, in its own process, with `feed` on its standard input."""
        directories = ["--config-dir", str(self.directory), "--postfix-dir", str(postfix.config)]
        env = {"PATH": f"/usr/sbin:/sbin:{os.environ.get('PATH', '/usr/bin:/bin')}", **self.settings}
        return self.start([*directories, *command], env, feed)

    def apply(self, postfix: Postfix, *options: str) -> str:
        """Run `dms-relay apply`, and return its output. Raises ApplyError if it fails."""
        done = self.run(postfix, "apply", *options)
        if done.returncode != 0:
            message = f"dms-relay apply: exit {done.returncode}\n{done.stderr}"
            raise ApplyError(message)
        return done.stdout + done.stderr
