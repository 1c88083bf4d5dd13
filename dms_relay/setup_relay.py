"""``python -m dms_relay.setup_relay COMMAND…`` runs the command under the name that users of docker-mailserver type."""

from dms_relay.cli import run

run(prog="setup relay")
