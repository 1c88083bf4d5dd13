"""Counts deliveries in Postfix's log as it passes, for ``dms-relay metrics``: used by ``container/stdout_pipe.py``.

Gets the log in pieces, as it comes. One line is one recipient. The name of the service, or the host, tells the relay
(``known_relays``). The counts go to a file (``counters``), under names whose parts are separated by tabs:

    tried    LABEL  STATUS  DSN     tried by smtp(8): sent, deferred, bounced; the first digit of the DSN
    untried  LABEL  STATUS  DSN     put off or returned by the queue manager without a try (error(8))
    stage    LABEL  STAGE   PLACE   a histogram of each part of a try: the place in ``STAGE_BUCKETS``, or ``sum``
    delay    LABEL  PLACE           a histogram of the time from arrival to delivery (``DELAY_BUCKETS``)
    smtpd_rejected  CODE            and names of one part: smtpd_connects, smtpd_messages, cleanup_messages, qmgr_removed,
                                    qmgr_expired, bounce_notifications, unparsed

A log contains text of strangers: addresses, and replies of relays. So nothing is searched for in a line: each is
parsed from its start, addresses by their quotes. A line that cannot be parsed counts as ``unparsed`` only. No label
comes from a line. Needs only built-in modules, as it stays in memory as long as the container runs.

Known limits: skips a line of more than ``LINE_MAX`` octets. Postfix cuts lines at some 2,000 octets, so a delivery to
an address of that length is ``unparsed``. With ``info_log_address_format = internal`` addresses are not quoted, so a
client can make its own mail count as something else.
"""

from __future__ import annotations

from dms_relay.metrics.counters import Counters
from dms_relay.metrics.known_relays import UNKNOWN, KnownRelays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Maximum octets of a line: several times the longest that Postfix writes.
LINE_MAX = 16_384
#: Number of recent reasons to keep: the queue manager may repeat them.
REASONS_MAX = 256
#: Upper bounds of a histogram, in seconds: those of postfix_exporter, for the duration of each stage of a try.
STAGE_BUCKETS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 3600.0, 86400.0, 172800.0)
#: The same from a message's arrival to its delivery: normally seconds, and days after an outage.
DELAY_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0, 86400.0, 432000.0)
#: The stages of ``delays=a/b/c/d`` (postconf(5), delay_logging_resolution_limit), as postfix_exporter names them.
STAGES = ("before_queue_manager", "queue_manager", "connection_setup", "transmission")
#: Seconds: more than any message can live.
_DELAY_MAX = 1e9
TRIED, UNTRIED = "tried", "untried"
_KINDS = {b"smtp": TRIED, b"lmtp": TRIED, b"error": UNTRIED, b"retry": UNTRIED}
#: The values of status=…, and ours. Probes (verify(8)) are not deliveries.
_STATUSES = {b"sent": "sent", b"deferred": "deferred", b"SOFTBOUNCE": "deferred", b"bounced": "bounced"}
_PROBES = frozenset({b"deliverable", b"undeliverable"})
#: First digits of a DSN (RFC 3463), and of a refusal (RFC 5321).
_DSN, _REFUSALS = b"245", b"45"
_CODE_LENGTH = 3
#: The start of error(8)'s text if the queue manager has suspended a relay for a while (qmgr(8)).
_SUSPENDED = b"(delivery temporarily suspended: "
#: Words of other lines in the place of a queue identifier.
_NO_QUEUE = b"NOQUEUE"
_WORDS = frozenset({b"warning", b"error", b"fatal", b"panic", _NO_QUEUE})
#: The end of a line about a message that the queue manager has returned.
_EXPIRED = b"expired, returned to sender"
_EXPIRIES = frozenset({b", status=" + _EXPIRED, b", status=force-" + _EXPIRED})
_QUOTE, _BACKSLASH = 0x22, 0x5C


class Deliveries:
    """Counts the log lines that pass."""

    def __init__(self, directory: str) -> None:
        """Continue from the counters in the state directory."""
        self.counters = Counters(directory)
        names = (name.split("\t") for name in self.counters.numbers)
        self._relays = KnownRelays(directory, {parts[1] for parts in names if parts[0] in {TRIED, UNTRIED}})
        self._rest = b""
        self._is_skipping = False
        #: The label for which a reason was logged, by the reason's hash, the oldest first.
        self._reasons: dict[int, str] = {}
        self._does: dict[bytes, Callable[[bytes, bytes, bytes, bytes], None]] = {
            b"smtpd": self._smtpd,
            b"cleanup": self._cleanup,
            b"qmgr": self._qmgr,
            b"bounce": self._bounce,
            **dict.fromkeys(_KINDS, self._delivery),
        }

    def take(self, data: bytes) -> None:
        """Count the lines that are complete by now."""
        first, *lines = data.split(b"\n")
        if not lines:
            self._keep(self._rest + first)
            return
        if not self._is_skipping:
            lines.insert(0, self._rest + first)
        self._is_skipping = False
        self._keep(lines.pop())
        self._relays.look()
        for line in lines:
            try:
                self._line(line)
            except (ValueError, IndexError, KeyError):
                self.counters.add("unparsed")

    def _keep(self, rest: bytes) -> None:
        """Keep the start of a line; drop one that is too long."""
        self._is_skipping = self._is_skipping or len(rest) > LINE_MAX
        self._rest = b"" if self._is_skipping else rest

    def _line(self, line: bytes) -> None:
        """Count a line: ``Nov 26 12:00:00 host postfix/relay-a/smtp[123]: 4D1F2A: to=<…>, …``."""
        head, _, text = line.partition(b"]: ")
        tag, _, number = head[head.rfind(b" ") + 1 :].partition(b"[")
        prefix, _, program = tag.rpartition(b"/")
        does = self._does.get(program)
        if does and number.isdigit():
            first, _, rest = text.partition(b": ")
            does(program, prefix.partition(b"/")[2], first, rest)

    def _smtpd(self, _program: bytes, _service: bytes, first: bytes, rest: bytes) -> None:
        if first.startswith(b"connect from "):
            self.counters.add("smtpd_connects")
        elif first != _NO_QUEUE and not _is_queue_id(first):
            return  # also text from a client: "improper command pipelining after EHLO from host[192.0.2.1]: …"
        elif rest.startswith(b"client="):
            self.counters.add("smtpd_messages")
        elif rest.startswith(b"reject: "):
            # "reject: RCPT from host[192.0.2.1]: 554 5.7.1 …": a host name has no blank.
            code = rest.split(b" ", 5)[4]
            if len(code) != _CODE_LENGTH or not code.isdigit() or code[:1] not in _REFUSALS:
                raise ValueError
            self.counters.add(f"smtpd_rejected\t{code.decode()}")

    def _cleanup(self, _program: bytes, _service: bytes, first: bytes, rest: bytes) -> None:
        if rest.startswith(b"message-id=") and _is_queue_id(first):
            self.counters.add("cleanup_messages")

    def _qmgr(self, _program: bytes, _service: bytes, _first: bytes, rest: bytes) -> None:
        if rest == b"removed":
            self.counters.add("qmgr_removed")
        elif rest.startswith(b"from=<") and rest.endswith(_EXPIRED) and _behind_address(rest) in _EXPIRIES:
            self.counters.add("qmgr_expired")

    def _bounce(self, _program: bytes, _service: bytes, _first: bytes, rest: bytes) -> None:
        if rest.startswith(b"sender non-delivery notification: "):
            self.counters.add("bounce_notifications")

    def _delivery(self, program: bytes, service: bytes, first: bytes, rest: bytes) -> None:
        """Count ``to=<…>, relay=…, delay=…, delays=…, dsn=…, status=… (…)`` (log_adhoc(3))."""
        if not rest.startswith(b"to=<") or not _is_queue_id(first):
            return
        relay, delay, delays, dsn, word, text = _parts(rest)
        if word in _PROBES:
            return
        if dsn[:1] not in _DSN or not dsn:
            raise ValueError
        outcome = f"{_STATUSES[word]}\t{dsn[:1].decode()}"
        if _KINDS[program] == UNTRIED:
            self.counters.add(f"{UNTRIED}\t{self._suspended(text)}\t{outcome}")
            return
        stages = list(zip(STAGES, map(_seconds, delays.split(b"/")), strict=True))
        label = self._relays.label(service, relay, text)
        if word == b"sent":
            self.counters.observe(f"delay\t{label}", DELAY_BUCKETS, _seconds(delay))
        else:
            self._remember(hash(text), label)
        self.counters.add(f"{TRIED}\t{label}\t{outcome}")
        for stage, took in stages:
            self.counters.observe(f"stage\t{label}\t{stage}", STAGE_BUCKETS, took)

    def _remember(self, reason: int, label: str) -> None:
        """Remember which relay put mail off: the queue manager repeats its reason for mail that it then does not try."""
        self._reasons.pop(reason, None)
        self._reasons[reason] = label
        if len(self._reasons) > REASONS_MAX:
            del self._reasons[next(iter(self._reasons))]

    def _suspended(self, text: bytes) -> str:
        if not text.startswith(_SUSPENDED):
            return UNKNOWN
        reason = b"(" + text[len(_SUSPENDED) :]
        return self._reasons.get(hash(reason)) or self._relays.label(b"", b"none", reason)


def _is_queue_id(text: bytes) -> bool:
    """Return True if a text can be a queue identifier: only letters and digits, and none of Postfix's words."""
    return text.isalnum() and text not in _WORDS


def _parts(rest: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes]:
    """Return relay, delay, delays, dsn, status, and the text after them. Raises ``ValueError`` and ``IndexError``."""
    at = _address_end(rest, len(b"to=<"))
    if rest.startswith(b", orig_to=<", at):
        at = _address_end(rest, at + len(b", orig_to=<"))
    relay, rest = _field(rest[at:], b", relay=")
    if rest.startswith(b", conn_use="):
        _, rest = _field(rest, b", conn_use=")
    delay, rest = _field(rest, b", delay=")
    delays, rest = _field(rest, b", delays=")
    dsn, rest = _field(rest, b", dsn=")
    if not rest.startswith(b", status="):
        raise ValueError
    word, _, text = rest[len(b", status=") :].partition(b" ")
    return relay, delay, delays, dsn, word, text


def _field(rest: bytes, name: bytes) -> tuple[bytes, bytes]:
    """Return the value after a name, up to the next comma, and the rest from there."""
    end = rest.find(b", ", len(name))
    if not rest.startswith(name) or end < 0:
        raise ValueError
    return rest[len(name) : end], rest[end:]


def _behind_address(rest: bytes) -> bytes:
    """Return the text after ``from=<…>``; Postfix may cut a line anywhere, even in an address that looks like its end."""
    return rest[_address_end(rest, len(b"from=<")) :]


def _address_end(rest: bytes, at: int) -> int:
    """Return the end of the address that begins at ``at``. Quotes may contain anything, and a backslash quotes too."""
    if rest[at] == _QUOTE:
        at += 1
        while rest[at] != _QUOTE:
            at += 2 if rest[at] == _BACKSLASH else 1
    return rest.index(b">", at) + 1


def _seconds(text: bytes) -> float:
    found = float(text)
    if not 0 <= found < _DELAY_MAX:
        raise ValueError
    return found
