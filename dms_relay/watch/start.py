"""``python -IS start.py SETTINGS``: become the keeper, in an interpreter that has loaded next to nothing.

``dms-relay watch`` executes this in its own place when all is checked (``commands/watch.py``): the package's own
modules, and what they import, would take twice the memory for as long as the keeper lives. So the package is not
imported as a whole here, but the folder ``watch`` alone. ``SETTINGS`` is a JSON object (``keeper.Settings``).
"""

import json
import os
import sys
from types import ModuleType


def main() -> int:
    """Be the keeper, and return the exit code."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 -- pathlib takes 1 MiB of memory
    package = ModuleType("dms_relay")
    package.__path__ = [os.path.dirname(here)]  # noqa: PTH120 -- the same
    sys.modules["dms_relay"] = package
    from dms_relay.watch.keeper import Keeper, Settings  # noqa: PLC0415 -- it can be found only now

    return Keeper(Settings(**json.loads(sys.argv[1]))).run()


if __name__ == "__main__":
    sys.exit(main())
