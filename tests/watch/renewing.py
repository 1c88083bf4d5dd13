"""``python -m tests.watch.renewing``: the program as the keeper calls it, with a renewal that asks no server.

``renew`` puts a token into the store for each login, which lives as many seconds as the file ``life`` in
the state directory says; where that file is not there it fails. All other commands are the program's own.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from dms_relay import cli, tokens
from dms_relay.tokens import in_force


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
            tokens.save(state_dir, login.id, tokens.Kept("secret-token", now, now + float(life.read_text())))
    return 0


def main() -> int:
    """Be the program."""
    if "renew" in sys.argv:
        words = [word for word in sys.argv[sys.argv.index("renew") + 1 :] if not word.startswith("-")]
        return renew(Path(os.environ["DMS_RELAY_STATE_DIR"]), words)
    return cli.main(sys.argv[1:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
