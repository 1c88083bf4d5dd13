"""``python -m dms_relay``: the command."""

from dms_relay.cli import run

run()
