"""The state for ``dms-relay status`` and ``dms-relay metrics``: when the keeper was last seen, and what is due.

Reads the state directory, and the inputs if no keeper runs. Writes nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dms_relay.errors import InputError, RelayError
from dms_relay.merge import merge
from dms_relay.plan import plan
from dms_relay.plan.found import find
from dms_relay.render import render
from dms_relay.sources import read
from dms_relay.watch.looks import changed, look_again
from dms_relay.watch.record import BEAT, HEALTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.model import Paths

#: Seconds without a sign of life after which a keeper counts as hanging.
_STILL = 4 * BEAT


def seen_at(paths: Paths) -> float | None:
    """Return when the keeper was last seen at work; ``None`` if there is no record, which it may be unable to write."""
    try:
        return (paths.state_dir / HEALTH).stat().st_mtime
    except OSError:
        return None


def stands_still_since(paths: Paths) -> float | None:
    """Return since when a running keeper has given no sign of life; ``None`` if it does."""
    seen = seen_at(paths)
    return seen if seen is not None and time.time() - seen > _STILL else None


def in_force_since(paths: Paths, applied: dict[str, Any]) -> float | None:
    """Return when the configuration came into force; ``applied`` is the keeper's record of its last run."""
    try:
        return paths.state.stat().st_ctime
    except OSError:
        since: float | None = (applied.get("in_force") or {}).get("since")
        return since


def due_to_keeper(applied: dict[str, Any]) -> list[str]:
    """Return why the running keeper has something to apply."""
    before = applied.get("looks", {})
    return [f"{path} has changed" for path in changed(before, look_again(before))]


def due(paths: Paths, environ: Mapping[str, str], troubles: list[str]) -> list[str]:
    """Return why ``apply`` is due, from the inputs themselves; add what is wrong with them to ``troubles``."""
    try:
        config = merge(read(paths, environ))
        changes = plan(render(config, paths), find(paths))
    except InputError as error:
        troubles += [f"inputs: {problem}" for problem in error.problems if problem.is_error]
        return []
    except RelayError as error:
        troubles.append(f"inputs: {error}")
        return []
    return [] if changes.is_empty else ["the inputs differ from what is in force; dms-relay plan shows the difference"]
