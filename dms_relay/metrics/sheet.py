"""Samples of metrics, and their text for Prometheus (text format 0.0.4). Names, labels and types come from ``names``.

Omits a metric without a sample. Replaces characters that the format does not allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from dms_relay.metrics.names import COUNTER, HISTOGRAM, METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.core import Metric as Family

#: The media type of the text (exposition formats of Prometheus).
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TOTAL = "_total"


class Sheet:
    """Collects samples."""

    def __init__(self) -> None:
        """Begin without samples."""
        self._families: dict[str, Any] = {}

    def set(self, name: str, value: float, *labels: str) -> None:
        """Add one sample."""
        self._family(name).add_metric([_shown(label) for label in labels], value)

    def histogram(self, name: str, ends: Sequence[float], counts: Sequence[float], total: float, *labels: str) -> None:
        """Add a histogram: the count of each bucket, and beyond the last, and the sum of all values."""
        buckets, below = [], 0.0
        for end, count in zip([*map(str, ends), "+Inf"], counts, strict=True):
            below += count
            buckets.append((end, below))
        self._family(name).add_metric([_shown(label) for label in labels], buckets=buckets, sum_value=total)

    def _family(self, name: str) -> Any:  # noqa: ANN401 -- each class has its own method to add a sample
        if name not in self._families:
            metric = METRICS[name]
            make = {COUNTER: CounterMetricFamily, HISTOGRAM: HistogramMetricFamily}.get(metric.kind, GaugeMetricFamily)
            self._families[name] = make(name.removesuffix(_TOTAL), metric.text, labels=metric.labels)
        return self._families[name]

    def collect(self) -> Iterator[Family]:
        """Yield the families in the order of ``names``, as prometheus-client asks for them."""
        yield from (self._families[name] for name in METRICS if name in self._families)

    def text(self) -> bytes:
        """Return the text."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)


def _shown(label: str) -> str:
    """Return a label that UTF-8 can encode and a terminal can show: operators choose the names of relays and users."""
    return "".join(sign if sign.isprintable() else "?" for sign in label)
