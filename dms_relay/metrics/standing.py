"""The state of the keeper, the inputs, the tokens and the logins, as metrics: what ``dms-relay status`` shows.

Reads the state directory, and the inputs if no keeper runs. Unknown values have no metric.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dms_relay import __version__
from dms_relay.errors import RelayError
from dms_relay.files.keeper_lock import is_keeper_running
from dms_relay.postfix.programs import Postfix
from dms_relay.watch.outlook import outlook
from dms_relay.watch.record import load
from dms_relay.watch.standing import due, due_to_keeper, in_force_since, seen_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.metrics.sheet import Sheet
    from dms_relay.model import Paths

_OK = "ok"
_INPUTS = "inputs: "
#: Maximum number of login test results: each is a series.
_RESULTS_MAX = 1000
_VERSION = "mail_version"


def add_standing(sheet: Sheet, paths: Paths, environ: Mapping[str, str]) -> None:
    """Add all these metrics."""
    record = load(str(paths.state_dir))
    is_running = is_keeper_running(paths.state_dir)
    applied = record.get("apply") or {}
    troubles = list(record.get("troubles", [])) if is_running else []
    changes = due_to_keeper(applied) if is_running else due(paths, environ, troubles)
    sheet.set("dms_relay_apply_due", bool(changes))
    sheet.set("dms_relay_wrong_inputs", sum(line.startswith(_INPUTS) for line in troubles))
    sheet.set("dms_relay_troubles", len(troubles))
    _set_known(sheet, "dms_relay_configuration_in_force_timestamp_seconds", in_force_since(paths, applied))
    _add_keeper(sheet, paths, record, is_running=is_running)
    _add_tokens(sheet, paths)
    _add_tests(sheet, record.get("tests") or {})


def _set_known(sheet: Sheet, name: str, value: float | None, *labels: str) -> None:
    if value is not None:
        sheet.set(name, value, *labels)


def _add_keeper(sheet: Sheet, paths: Paths, record: dict[str, Any], *, is_running: bool) -> None:
    sheet.set("dms_relay_keeper_running", is_running)
    if is_running:
        _set_known(sheet, "dms_relay_keeper_start_timestamp_seconds", record.get("started"))
        sheet.set("dms_relay_keeper_children", len(record.get("children") or ()))
    _set_known(sheet, "dms_relay_keeper_seen_timestamp_seconds", seen_at(paths))


def _add_tokens(sheet: Sheet, paths: Paths) -> None:
    try:
        found = outlook(paths.state_dir, time.time())["tokens"]
    except RelayError:
        return
    for token in {(token["relay"], token["username"]): token for token in found}.values():
        labels = token["relay"], token["username"]
        sheet.set("dms_relay_token_expiry_timestamp_seconds", token["valid_until"] or 0.0, *labels)
        sheet.set("dms_relay_token_renewal_failed", bool(token["failure"]), *labels)


def _add_tests(sheet: Sheet, tests: dict[str, Any]) -> None:
    results = tests.get("results", [])[:_RESULTS_MAX]
    if results:
        _set_known(sheet, "dms_relay_login_test_timestamp_seconds", tests.get("at"))
    for result in {_labels(result): result for result in results}.values():
        sheet.set("dms_relay_login_test_success", result["result"] == _OK, *_labels(result))
        sheet.set("dms_relay_login_test_duration_seconds", result["seconds"], *_labels(result))
    ends: dict[tuple[str, str], float] = {}
    for result in results:
        if until := result.get("certificate_until"):
            place = result["relay"], result["nexthop"]
            ends[place] = min(ends.get(place, float("inf")), datetime.fromisoformat(until).timestamp())
    for place, end in ends.items():
        sheet.set("dms_relay_certificate_expiry_timestamp_seconds", end, *place)


def _labels(result: dict[str, Any]) -> tuple[str, str, str]:
    return result["relay"], result["nexthop"], result["login"] or ""


def add_postfix(sheet: Sheet, paths: Paths, version: str) -> None:
    """Add the metrics of Postfix's state and of the versions."""
    sheet.set("dms_relay_build_info", 1, __version__, version)
    try:
        sheet.set("dms_relay_postfix_running", Postfix(paths.postfix_dir).master_pid() is not None)
    except RelayError:
        return


def postfix_version(paths: Paths) -> str:
    """Return Postfix's version; empty if it is unknown."""
    try:
        return Postfix(paths.postfix_dir).defaults(_VERSION).get(_VERSION, "")
    except RelayError:
        return ""
