"""``python -m tools.generate [--check]``: rebuild the files that are generated from the code.

Writes the completion for each shell and the manual page in ``dms_relay/generated``, and pages of ``docs/``. With ``--check``
it writes nothing, but names each stale file, and exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay import generated
from dms_relay.arguments import SHELLS
from tools.completion import completion
from tools.man_page import man_page
from tools.reference import pages

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parent.parent
_GENERATED = Path(generated.__file__).parent.relative_to(_ROOT)
_DOCS = Path("docs")


def texts() -> dict[Path, str]:
    """Return each text, by the path of its file."""
    shells = {_GENERATED / f"completion.{shell}": completion(shell) for shell in SHELLS}
    return shells | {_GENERATED / "dms-relay.1": man_page()} | {_DOCS / name: text for name, text in pages().items()}


def main(argv: Sequence[str]) -> int:
    """Write or check the files, and return the exit code."""
    options = argparse.ArgumentParser(prog="python -m tools.generate", description=__doc__.partition("\n")[0])
    options.add_argument("--check", action="store_true", help="write nothing, and exit with 1 if a file is stale")
    check = options.parse_args(argv).check
    stale = {name: text for name, text in texts().items() if _read(name) != text.encode()}
    for name, text in stale.items():
        if not check:
            (_ROOT / name).write_bytes(text.encode())
        print(f"{name}: {'not what the parser says -- run make generated' if check else 'rebuilt'}")
    return 1 if check and stale else 0


def _read(name: Path) -> bytes | None:
    try:
        return (_ROOT / name).read_bytes()
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
