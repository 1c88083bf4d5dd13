"""A sandbox whose relay.yaml has relays with logins by OAuth2, and the token endpoint that they ask."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dms_relay import tokens
from dms_relay.tokens import in_force
from testbed.certificates import Authority
from testbed.token_rules import OAuth2Client

if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.tokens import Kept
    from testbed.token_server import TokenServer
    from tests.support.sandbox import Result, Sandbox

AUTHORITY = Authority()
SECRET = "s3cret-P4ss"
USER = "me@a.test"


class TokenScene:
    """Relay ``app`` has a client secret, ``own`` a refresh token, ``person`` and ``browser`` wait for somebody."""

    def __init__(self, sandbox: Sandbox, server: TokenServer, root: Path) -> None:
        """Write the inputs."""
        self.sandbox, self.server, self.state_dir = sandbox, server, root / "state"
        self.environ = {"DMS_RELAY_STATE_DIR": str(self.state_dir), "PATH": os.environ["PATH"]}
        server.clients = {"us": OAuth2Client(secret=SECRET), "public": OAuth2Client()}
        self.authority = AUTHORITY.write_certificate(sandbox.config_dir / "id.pem")
        sandbox.write("secret", f"{SECRET}\n").chmod(0o600)
        sandbox.write("refresh", server.new_refresh_token("public", USER)).chmod(0o600)
        (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n")

    def write(self, *relays: str) -> None:
        """Write relay.yaml with some of the relays."""
        known = {
            "app": f"client_id: us, client_secret_file: {self.sandbox.config_dir}/secret",
            "own": f"client_id: public, refresh_token_file: {self.sandbox.config_dir}/refresh",
            "person": f"client_id: public, device_url: {self.server.device_url}",
            "browser": f"client_id: public, authorization_url: {self.server.authorization_url}",
        }
        common = f"token_url: {self.server.token_url}, scope: smtp, ca_file: {self.authority}"
        lines = [
            f"  {name}: {{host: {name}.test, login: {{username: {USER}, oauth2: {{{common}, {known[name]}}}}}}}\n"
            for name in relays
        ]
        self.sandbox.write("relay.yaml", f"version: 1\nrelays:\n{''.join(lines)}default: {relays[0]}\n")

    def run(self, *command: str) -> Result:
        """Run a command."""
        return self.sandbox.run(*command, env=self.environ)

    def table(self, name: str) -> str:
        """Return the token in a relay's table."""
        text = (self.sandbox.postfix_dir / "relay.d" / f"{name}.sasl").read_text()
        return text.strip().rpartition(":")[2]

    def kept(self, name: str) -> Kept:
        """Return what is kept of a relay's login."""
        (found,) = [login.id for login in in_force.load(self.state_dir) if login.relay == name]
        return tokens.load(self.state_dir, found)
