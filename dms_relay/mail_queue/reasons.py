"""Counts why mail waits for a relay, by class: how many recipients, an example that is safe to show, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.log import printable
from dms_relay.mail_queue.delays import Delay, What, delay
from dms_relay.mail_queue.echoes import without_echoes
from dms_relay.mail_queue.remedies import remedy
from dms_relay.model.values import frozen

if TYPE_CHECKING:
    from dms_relay.explain.routing import Resolution
    from dms_relay.mail_queue.labels import Router
    from dms_relay.mail_queue.ways import Ways

#: Number of texts whose class is cached: most are alike.
_TEXTS_MAX = 10_000
_HOLD = "hold"
#: Classes of reasons that name a host, which is looked for among those of the relay.
_NOT_TRIED = frozenset({What.TURN, What.HELD, What.STOPPED})


@frozen
class Reason:
    """Why some recipients wait: a short class (``delays.What``), how many, and what to do.

    ``example`` is Postfix's text about one of them: on one line, without secrets, safe to show; empty if it was not tried.
    """

    what: str
    count: int
    example: str
    remedy: str


class Classes:
    """Classifies texts, each text only once."""

    def __init__(self) -> None:
        """Begin with no texts."""
        self._known: dict[str, Delay] = {}

    def of(self, text: str) -> Delay:
        """Return the class of a reason."""
        if text not in self._known:
            if len(self._known) >= _TEXTS_MAX:
                self._known.clear()
            self._known[text] = delay(text)
        return self._known[text]


class _Example:
    """One recipient of a class, and the number of all."""

    def __init__(self, text: str, found: Delay, envelope: tuple[str, str], route: Resolution) -> None:
        self.text, self.delay, self.envelope, self.route = text, found, envelope, route
        self.count = 0


class Reasons:
    """Counts the reasons of one relay."""

    def __init__(self, label: str, classes: Classes) -> None:
        """Set the relay's label."""
        self._label = label
        self._classes = classes
        self._examples: dict[What, _Example] = {}

    def add(self, queue: str, text: str, envelope: tuple[str, str], router: Router) -> None:
        """Count one recipient."""
        found = self._classes.of(text)
        what = What.HELD if queue == _HOLD else found.what
        if what not in _NOT_TRIED:
            what = router.what(what, found.host, envelope)
        if what not in self._examples:
            self._examples[what] = _Example(text, found, envelope, router.route(*envelope))
        self._examples[what].count += 1

    def found(self, ways: Ways) -> tuple[Reason, ...]:
        """Return each class that was seen, the most frequent first."""
        items = sorted(self._examples.items(), key=lambda item: -item[1].count)
        return tuple(self._reason(what, example, ways) for what, example in items)

    def _reason(self, what: What, example: _Example, ways: Ways) -> Reason:
        found = example.delay
        way, secrets = ways.way(self._label, example.route, example.envelope, found.host)
        shown = without_echoes(example.text) if found.step == "AUTH" else example.text
        todo = remedy(Delay(what, found.host, found.reply, found.step), way)
        return Reason(str(what), example.count, printable(secrets.hide(shown)), todo)
