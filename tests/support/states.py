"""What an operator wants of relays at one moment, with maps or with transports, and what a first boot makes of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.machine import Machine, machine_of, prepare
from tests.support.rested import write_rested
from tests.support.sandbox import Sandbox

#: Files in memory need no disk to be written to; what is on the disk after a crash is another test's business.
MEMORY = Path("/dev/shm")  # noqa: S108 -- a fresh directory in it
NAMES = ("relay.yaml", "postfix-relaymap.cf", "postfix-sasl-password.cf", "postfix-main.cf", "postfix-master.cf")


@dataclass(frozen=True)
class State:
    """What an operator wants at one moment."""

    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


MAPS = State(
    {"DEFAULT_RELAY_HOST": "[d.test]:587", "RELAY_USER": "u", "RELAY_PASSWORD": "s3cret"},
    {
        "postfix-relaymap.cf": "@one.test [one.relay]:587\n@out.test\n",
        "postfix-sasl-password.cf": "@one.test o:s3cret\n",
    },
)
SWITCHED = State(MAPS.env | {"RELAY_ROUTING": "transports"}, MAPS.files)


def apply(sandbox: Sandbox, state: State) -> str:
    """Have the machine as is wanted."""
    for name in NAMES:
        path = sandbox.config_dir / name
        if name in state.files:
            write_rested(path, state.files[name].encode())
        else:
            path.unlink(missing_ok=True)
    return sandbox.apply(**state.env, LOG_LEVEL="error").out


def first_boot(state: State, base: str) -> Machine:
    """Return what a first boot makes."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        sandbox = Sandbox(Path(directory))
        prepare(sandbox, base)
        apply(sandbox, state)
        return machine_of(sandbox)
