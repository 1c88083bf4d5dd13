"""``python -m dms_relay.container [--start] [STEP…]``: see ``boot``."""

from dms_relay.container.boot import run

run()
