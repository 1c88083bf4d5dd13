"""The counts from Postfix's log (``deliveries``), as metrics. Reads the state directory; none if nothing counts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from dms_relay.metrics.counters import COUNTS, loaded, trusted
from dms_relay.metrics.deliveries import DELAY_BUCKETS, STAGE_BUCKETS, TRIED, UNTRIED
from dms_relay.metrics.known_relays import RELAYS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dms_relay.metrics.sheet import Sheet

#: The metric of each name of ``deliveries``; the parts after the first are the labels.
_NAMES = {
    TRIED: "postfix_smtp_messages_processed_total",
    UNTRIED: "dms_relay_untried_recipients_total",
    "smtpd_connects": "postfix_smtpd_connects_total",
    "smtpd_messages": "postfix_smtpd_messages_processed_total",
    "smtpd_rejected": "postfix_smtpd_messages_rejected_total",
    "cleanup_messages": "postfix_cleanup_messages_processed_total",
    "qmgr_removed": "postfix_qmgr_messages_removed_total",
    "qmgr_expired": "postfix_qmgr_messages_expired_total",
    "bounce_notifications": "postfix_bounce_non_delivery_notification_total",
    "unparsed": "dms_relay_unparsed_deliveries_total",
}
#: The same for histograms, with their upper bounds.
_HISTOGRAMS = {
    "stage": ("postfix_smtp_delivery_delay_seconds", STAGE_BUCKETS),
    "delay": ("dms_relay_delivery_delay_seconds", DELAY_BUCKETS),
}
_SUM = "sum"
#: Series that exist from the start, for each relay and without labels: Prometheus sees no increase in a series that
#: begins with 1.
_OUTCOMES = (("sent", "2"), ("deferred", "4"), ("bounced", "5"))
_ALONE = tuple(name for name in _NAMES if name not in {TRIED, UNTRIED, "smtpd_rejected"})


def add_counted(sheet: Sheet, state_dir: Path) -> None:
    """Add the counts."""
    numbers = dict(loaded(str(state_dir / COUNTS)))
    labels = relays(state_dir)
    if not numbers and not labels:
        return
    if since := numbers.pop("since", 0.0):
        sheet.set("dms_relay_counting_since_timestamp_seconds", since)
    beginning = [f"{TRIED}\t{label}\t{status}\t{dsn}" for label in labels for status, dsn in _OUTCOMES]
    _add_numbers(sheet, dict.fromkeys((*_ALONE, *beginning), 0.0) | numbers)
    _add_histograms(sheet, numbers)


def relays(state_dir: Path) -> list[str]:
    """Return the labels of the relays in force, as they are counted; none if nothing counts."""
    try:
        lines = trusted(str(state_dir / RELAYS)).decode().splitlines()
    except (OSError, ValueError):
        return []
    return list(dict.fromkeys(line.rpartition("\t")[2] for line in lines))


def _add_numbers(sheet: Sheet, numbers: Mapping[str, float]) -> None:
    for name, value in numbers.items():
        kind, *labels = name.split("\t")
        if kind in _NAMES:
            sheet.set(_NAMES[kind], value, *labels)


def _add_histograms(sheet: Sheet, numbers: Mapping[str, float]) -> None:
    found: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for name, value in numbers.items():
        *series, place = name.split("\t")
        if series and series[0] in _HISTOGRAMS:
            found[tuple(series)][place] = value
    for (kind, *labels), places in found.items():
        name, ends = _HISTOGRAMS[kind]
        counts = [places.get(str(place), 0.0) for place in range(len(ends) + 1)]
        sheet.histogram(name, ends, counts, places.get(_SUM, 0.0), *labels)
