"""Records the files from which a run reads its inputs, and their looks just before: what the keeper watches from then on.

Notes each file at the moment it is opened for reading, through the interpreter's audit hook (sys.addaudithook): so a
missing file counts, and no reader of inputs has to do anything. The run may not have seen a change after that moment.
Also notes the inputs that are looked for without being opened, and each directory and link on the path to a file:
their owners decide if it is trusted (``files.trust``). Writes nothing.

Known limits: a file opened by builtin ``open`` does not count as an input, since Python opens its modules that way;
inputs are opened by ``os.open`` (``sources.text``). Postfix's own files (except ``vhost``) and tokens do not count.
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

#: Inputs that decide what else is read, even if they are missing.
_ALWAYS = (RELAY_YAML, RELAY_ENV, RELAYMAP, LOGINS, USER_FILE, USER_SERVICES)


class Noted:
    """Notes the files that this process opens, until ``stop``."""

    def __init__(self, paths: Paths) -> None:
        """Note the inputs with fixed names."""
        self.looks: dict[str, list[str]] = {}
        self._own = (f"{paths.postfix_dir}/", f"{paths.state_dir}/")
        self._vhost = str(paths.vhost)
        self._is_on = True
        # The names in the directory decide about warnings (``sources.near_files``).
        for path in (*(paths.config_dir / name for name in _ALWAYS), paths.config_dir, Path(SYSTEM_AUTHORITIES)):
            self._note(str(path))
        sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Stop noting files; the hook itself cannot be removed."""
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
            return  # the path ends there
