"""``python -m tests.watch.renewing``: the program as the keeper calls it, with a renewal that asks no server.

``renew`` puts a token into the store for each login, which lives as many seconds as the file ``life`` in
the state directory says; where that file is not there it fails. All other commands are the program's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from dms_relay import cli, tokens, watch
from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, OAuth2
from dms_relay.tokens import in_force
from dms_relay.tokens.credentials import digests
from tests.watch.keeping import INTERVAL, Keeping

OAUTH2 = OAuth2(CLIENT_CREDENTIALS, "https://id.test/token", client_secret="s3cret")
LOGIN = in_force.InForce("a" * 32, "m365", "u@example.test", OAUTH2, (("sasl_passwd", "[d.test]:587"),))


def keep(keeping: Keeping, login: in_force.InForce = LOGIN) -> None:
    """Start a keeper whose renewals ask no server."""
    keeping.state.mkdir(0o700, exist_ok=True)
    in_force.save(keeping.state, [login])
    settings = {
        "command": [sys.executable, "-m", "tests.watch.renewing", *keeping.sandbox.arguments()],
        "config_dir": str(keeping.sandbox.config_dir),
        "is_named": True,
        "state_dir": str(keeping.state),
        "interval": float(INTERVAL),
        "metrics": None,
        "test_interval": 0,
        "has_state": True,
        "lock": None,
        "troubles": [],
    }
    start = Path(watch.__file__).with_name("start.py")
    command = [sys.executable, "-IS", str(start), json.dumps(settings)]
    with (keeping.state / "log").open("w") as log:
        keeping.process = subprocess.Popen(command, env=keeping.env, stderr=log)


def token(issued_at: float, seconds: float) -> tokens.Kept:
    """Return a token that was got with the secrets of ``OAUTH2``."""
    return tokens.Kept(access_token="token", issued_at=issued_at, expires_at=issued_at + seconds, tried=digests(OAUTH2))


def renewals(keeping: Keeping) -> list[str]:
    """Return the calls so far."""
    path = keeping.state / "renewals"
    return path.read_text().splitlines() if path.exists() else []


def renew(state_dir: Path, relays: list[str]) -> int:
    """Renew the tokens of some relays, or of all."""
    with (state_dir / "renewals").open("a") as calls:
        calls.write(f"{' '.join(relays) or 'due'}\n")
    life = state_dir / "life"
    if not life.exists():
        return os.EX_UNAVAILABLE
    now = time.time()
    for login in in_force.load(state_dir):
        if not relays or login.relay in relays:
            tokens.save(state_dir, login.id, token(now, float(life.read_text())))
    return 0


def main() -> int:
    """Be the program."""
    if "renew" in sys.argv:
        words = [word for word in sys.argv[sys.argv.index("renew") + 1 :] if not word.startswith("-")]
        return renew(Path(os.environ["DMS_RELAY_STATE_DIR"]), words)
    return cli.main(sys.argv[1:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
