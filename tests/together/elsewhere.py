"""A view of the machine in which the hosts of providers are ours: names, port 443, authorities, and /run/secrets.

Mounts in a mount namespace of its own, so that commands can be used word for word as a page prints them. Nothing of the
machine itself changes.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import pytest

from dms_relay.model.providers import endpoints
from testbed.testbed import loopback_address
from testbed.token_server import TokenServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed import Postfix, Testbed

_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_MOUNTS = """
set -e
mount --make-rprivate /
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/authority.pem" "$2"
mount --bind "$1/run" /run
echo ready
exec sleep infinity
"""


class Provider(TokenServer):
    """A token endpoint that stands where a provider has its own."""

    def __init__(self, testbed: Testbed, name: str, tenant: str, token_url: str = "") -> None:
        """Prepare it."""
        self.theirs = endpoints(name, tenant)
        self._token_url = self.theirs.token_url or token_url
        named = [url for url in (self._token_url, self.theirs.device_url, self.theirs.authorization_url) if url]
        self.hosts = sorted({urlsplit(url).netloc for url in named})
        super().__init__(testbed.authority, host=loopback_address(), names=tuple(self.hosts))
        self.port = 443
        self.paths = {_path(self._token_url): "/token", _path(self.theirs.device_url): "/devicecode"}

    @property
    def token_url(self) -> str:
        """Where tokens are asked for."""
        return self._token_url


def _path(url: str) -> str:
    return urlsplit(url).path


class Elsewhere:
    """The namespace, and `dms-relay` in it; a context manager."""

    def __init__(self, root: Path, testbed: Testbed, addresses: Mapping[str, str]) -> None:
        """Write what is mounted; names have these addresses."""
        self.root, self.secrets = root, root / "run" / "secrets"
        self.secrets.mkdir(parents=True)
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in addresses.items())]
        (root / "hosts").write_text("\n".join(lines) + "\n")
        testbed.authority.write_certificate(root / "authority.pem")
        self.config = root / "config"
        self.config.mkdir()
        self.env = {"PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}", "DMS_RELAY_STATE_DIR": str(root / "state")}

    def __enter__(self) -> Self:
        """Mount."""
        command = ["unshare", "--mount", "sh", "-c", _MOUNTS, "sh", str(self.root), _BUNDLE]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._holder.stdout
        assert self._holder.stderr
        if self._holder.stdout.readline() != "ready\n":
            pytest.skip(f"this place has no mounts: {self._holder.stderr.read()}")
        return self

    def __exit__(self, *_: object) -> None:
        """Unmount: with its last process, the namespace is gone."""
        self._holder.kill()
        self._holder.communicate()

    def secret(self, path: str, content: str) -> None:
        """Write a file of /run/secrets."""
        file = self.secrets / path.removeprefix("/run/secrets/")
        file.write_text(content)
        file.chmod(0o600)

    def move(self, postfix: Postfix) -> None:
        """Have a Postfix that runs live in the namespace: smtp(8) asks the authorities that are there."""
        program = self.root / "postfix"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(self._enter)} postfix "$@"\n')
        program.chmod(0o755)
        postfix.command("postfix", "stop")
        postfix.command(str(program), "start")

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt"]

    def start(self, postfix: Postfix, *words: str) -> subprocess.Popen[str]:
        """Start `dms-relay` with some words."""
        directories = ["--config-dir", str(self.config), "--postfix-dir", str(postfix.config)]
        command = [*self._enter, sys.executable, "-m", "dms_relay"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*command, *directories, *words], env=self.env, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def run(self, postfix: Postfix, *words: str) -> str:
        """Run it to its end, which must be a good one, and return what it said."""
        with self.start(postfix, *words) as process:
            said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said
