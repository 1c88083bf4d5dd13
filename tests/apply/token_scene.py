"""A sandbox with a relay that takes access tokens, and a real token endpoint."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from dms_relay import Paths
from dms_relay.tokens import Kept, in_force, load, save
from testbed.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.tokens.in_force import InForce
    from testbed.token_server import TokenServer
    from tests.support.sandbox import Result, Sandbox

AUTHORITY = Authority()
SECRET = "s3cret-P4ss"
FILTER = "smtp_sasl_mechanism_filter"


class Scene:
    """A sandbox whose relay.yaml has relays with tokens; each command runs with its state directory."""

    def __init__(self, sandbox: Sandbox, server: TokenServer, root: Path) -> None:
        """Write the files that relay.yaml names."""
        self.sandbox, self.server, self.state_dir = sandbox, server, root / "state"
        self.paths = Paths(sandbox.config_dir, sandbox.postfix_dir, self.state_dir)
        self.env = {"DMS_RELAY_STATE_DIR": str(self.state_dir), "PATH": os.environ["PATH"]}
        self.authority = AUTHORITY.write_certificate(sandbox.config_dir / "id.pem")
        sandbox.write("secret", f"{SECRET}\n").chmod(0o600)
        (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n")

    @property
    def login(self) -> str:
        """Return a login as it stands in relay.yaml."""
        how = f"token_url: {self.server.token_url}, client_id: us, client_secret_file: {self.sandbox.config_dir}/secret"
        return f"{{username: me@a.test, oauth2: {{{how}, scope: smtp, ca_file: {self.authority}}}}}"

    def relays(self, more: str = "") -> str:
        """Return a relay.yaml with a relay that takes a token, and one that takes a password."""
        return (
            "version: 1\nrelays:\n"
            f"  t: {{host: t.test, login: {self.login}}}\n"
            "  p: {host: p.test, login: {username: u, password: pass-word}}\n"
            f"default: t\nsenders:\n  p.test: p\n{more}"
        )

    def write(self, more: str = "") -> None:
        """Write relay.yaml."""
        self.sandbox.write("relay.yaml", self.relays(more))

    def run(self, *command: str) -> Result:
        """Run a command, which must succeed."""
        result = self.sandbox.run(*command, env=self.env)
        assert result.code == 0, result.err
        return result

    def plan_says(self) -> str:
        """Return what ``plan`` prints."""
        return self.run("plan").out

    def table(self, name: str) -> dict[str, str]:
        """Return a table's text."""
        text = (self.sandbox.postfix_dir / "relay.d" / f"{name}.sasl").read_text()
        return dict(line.split("\t") for line in text.splitlines())

    def query(self, name: str, key: str) -> str:
        """Ask Postfix for an entry of the index that the service names."""
        service = f"relay-{name}/unix/smtp_sasl_password_maps"
        said = self._postfix("postconf", "-P", service).partition("=")[2].strip()
        assert said.startswith(("cdb:", "lmdb:"))
        return self._postfix("postmap", "-q", key, said).strip()

    def filter_of(self, name: str) -> str:
        """Return the mechanism filter of a service."""
        return self._postfix("postconf", "-P", f"relay-{name}/unix/{FILTER}").partition("=")[2].strip()

    def _postfix(self, program: str, *arguments: str) -> str:
        command = [program, "-c", str(self.sandbox.postfix_dir), *arguments]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    @property
    def kept(self) -> tuple[InForce, Kept]:
        """Return the only login in force, and what is kept of it."""
        (login,) = in_force.load(self.state_dir)
        return login, load(self.state_dir, login.id)

    def renew(self, token: str) -> InForce:
        """Keep another token, as a renewal does before it is written."""
        login, kept = self.kept
        now = time.time()
        save(self.state_dir, login.id, Kept(token, now, now + 3600, credentials=kept.credentials, tried=kept.tried))
        return login
