"""Which files a run reads its inputs from, and how they looked before it did: what the keeper looks at from then on.

Notes each file at the moment at which it is opened for reading, by whatever reads it, through the interpreter's own
report of it (sys.addaudithook): so a file that is not there counts, and no reader of inputs has to think of it. A
change after that moment is one that the run may not have seen. Added are the inputs that are looked for without being
opened, and each directory and link on the way to a file: whose they are decides whether it is believed
(``files.trust``). Writes nothing.

Known limits: what is opened by builtin ``open`` is taken for no input, since Python's own modules are opened so; inputs
are opened by ``os.open`` (``sources.text``). Postfix's own
files do not count, but for ``vhost``, nor do tokens.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.files.trust import steps
from dms_relay.model import RELAY_YAML, SYSTEM_AUTHORITIES
from dms_relay.sources.near_files import USER_SERVICES
from dms_relay.sources.postfix_main import NAME as USER_FILE
from dms_relay.sources.relay_env import NAME as RELAY_ENV
from dms_relay.sources.relaymap import NAME as RELAYMAP
from dms_relay.sources.sasl_password import NAME as LOGINS
from dms_relay.watch.looks import FILE, WAY, look

if TYPE_CHECKING:
    from typing import Any

    from dms_relay.model import Paths

#: Inputs that decide what else is read, also where they are not there.
_ALWAYS = (RELAY_YAML, RELAY_ENV, RELAYMAP, LOGINS, USER_FILE, USER_SERVICES)


class Noted:
    """Notes files of this process from now on, until ``stop``."""

    def __init__(self, paths: Paths) -> None:
        """Note the inputs whose names are known."""
        self.looks: dict[str, list[str]] = {}
        self._own = (f"{paths.postfix_dir}/", f"{paths.state_dir}/")
        self._vhost = str(paths.vhost)
        self._is_on = True
        # What stands in the directory decides what is warned of (``sources.near_files``).
        for path in (*(paths.config_dir / name for name in _ALWAYS), paths.config_dir, Path(SYSTEM_AUTHORITIES)):
            self._note(str(path))
        sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Note no more; a hook cannot be taken away."""
        self._is_on = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on or event != "open" or arguments[1] is not None or not isinstance(arguments[0], str | Path):
            return
        path, flags = str(arguments[0]), arguments[2]
        is_reading = flags & os.O_ACCMODE == os.O_RDONLY and not flags & os.O_DIRECTORY
        is_own = path.startswith(self._own) and path != self._vhost
        if is_reading and not is_own and path.startswith("/") and path not in self.looks:
            self._note(path)

    def _note(self, path: str) -> None:
        self.looks[path] = [FILE, look(path, FILE)]
        try:
            for at, _, is_end in steps(path):
                if not is_end and at not in self.looks:
                    self.looks[at] = [WAY, look(at, WAY)]
        except (OSError, ValueError):
            return  # the way ends there
