"""``python -IS start.py SETTINGS``: run as the keeper, in an interpreter that has loaded next to nothing.

``dms-relay watch`` replaces itself by this (exec) after its checks (``commands/watch.py``): the package's other
modules, and what they import, would take twice the memory for as long as the keeper runs. So this imports only the
folder ``watch``, not the package as a whole. ``SETTINGS`` is a JSON object (``keeper.Settings``).
"""

import json
import os
import sys
from types import ModuleType


def main() -> int:
    """Run the keeper, and return the exit code."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 -- pathlib takes 1 MiB of memory
    package = ModuleType("dms_relay")
    package.__path__ = [os.path.dirname(here)]  # noqa: PTH120 -- the same
    sys.modules["dms_relay"] = package
    from dms_relay.watch.keeper import Keeper, Settings  # noqa: PLC0415 -- found only now

    return Keeper(Settings(**json.loads(sys.argv[1]))).run()


if __name__ == "__main__":
    sys.exit(main())
