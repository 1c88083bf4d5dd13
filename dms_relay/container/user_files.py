"""The operator's ``postfix-main.cf`` and ``postfix-master.cf``: the step ``user-files`` of ``boot``, after the relays.

``dms-relay apply`` writes their contents together with the relays, in one step: a relay's parameter that they override
never has another value in between. So right after that step this one has nothing to do, and ``boot`` skips it. It serves
for what a hook in between has set, which the operator's files override, and for a start without ``20-relay``, which
leaves relays alone. Without this hook, the files are not applied at all (``sources.USER_FILES_HOOK``).

Reads all inputs and Postfix's configuration; writes main.cf, master.cf and their remembered values. Fails as ``apply``.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from dms_relay.model import Paths
from dms_relay.model.places import CONFIG_DIR_VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.log_lines import Writer

#: The files, in the configuration directory.
NAMES = ("postfix-main.cf", "postfix-master.cf")


def run(environ: Mapping[str, str], writer: Writer | None = None, paths: Paths | None = None) -> int:
    """Run the step and return its exit code. ``writer``, if given, writes the log lines."""
    known = Paths()
    config_dir, postfix_dir = environ.get(CONFIG_DIR_VARIABLE), environ.get("MAIL_CONFIG")
    paths = paths or Paths(Path(config_dir or known.config_dir), Path(postfix_dir or known.postfix_dir))
    if not any(map(os.path.lexists, (paths.state, *(paths.config_dir / name for name in NAMES)))):
        return os.EX_OK
    from dms_relay.commands import Context  # noqa: PLC0415 -- only if there is something to do
    from dms_relay.commands.apply import apply_inputs  # noqa: PLC0415 -- the same
    from dms_relay.errors import InputError, RelayError  # noqa: PLC0415 -- the same
    from dms_relay.log import log_of  # noqa: PLC0415 -- the same

    log = log_of(environ, writer=writer)
    try:
        return apply_inputs(Context(paths, environ, log, sys.stdout or io.StringIO()), is_own_only=True)
    except InputError as error:
        log.refusal(error.headline, error.problems)
        return error.exit_code
    except RelayError as error:
        log.error(str(error))  # noqa: TRY400 -- Log is ours, not logging's
        return error.exit_code
    finally:
        log.finish()
