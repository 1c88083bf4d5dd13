"""``python -m dms_relay`` runs the command."""

from dms_relay.cli import run

run()
