"""Checks if what a boot has applied is still valid, so that the keeper need not apply it again at its start.

Scripts that run after the boot's own ``apply`` may override parameters of ours on purpose: hooks, docker-mailserver's
user-patches.sh. That is kept until an input changes. So whoever starts both says when the boot began to apply
(``APPLIED_AT``), and the keeper then only reads the inputs. Reads all inputs; writes nothing.

Known limits: without ``APPLIED_AT`` the keeper always applies. With it, the environment is assumed to be the boot's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dms_relay.sources import read
from dms_relay.watch.looks import FILE, changed_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.model import Paths
    from dms_relay.watch.noted import Noted

#: The variable with the time at which the boot began to apply, in seconds since 1970.
APPLIED_AT = "DMS_RELAY_APPLIED_AT"


def stands(fed: dict[str, Any], paths: Paths, environ: Mapping[str, str], noted: Noted) -> bool:
    """Return True if the inputs are right and have not changed since they were applied.

    ``fed`` has ``began`` and ``looks`` of a keeper's last successful run, which counts if it was in this boot.
    """
    booted = _seconds(environ.get(APPLIED_AT, ""))
    if booted is None or any(problem.is_error for problem in read(paths, environ).problems):
        return False
    if fed["looks"] and fed["began"] >= booted:
        return bool(fed["looks"] == noted.looks)
    return all(changed_at(found) <= booted for kind, found in noted.looks.values() if kind == FILE)


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
