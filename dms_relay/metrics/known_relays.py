"""The relays, for the counter of deliveries: labels of services and of hosts.

Reads ``relays`` in the state directory, which ``metrics/hints.py`` writes whenever the inputs are applied, and reads it
again when it was replaced. A line has a kind, a name and a label, separated by tabs:

    service  relay-a                 a       a service of master.cf, as its syslog_name has it
    host     smtp.example.com:587    …       a host and a port, as smtp(8) logs them, in lower case
    domain   example.com:25          …       each host below it, since smtp(8) looks for the MX hosts of the domain

Labels come only from that file, so that no log line can add any, and there are at most ``LABELS_MAX``. Needs only
built-in modules, like everything that copies the log.

Known limits: a domain whose MX hosts have names of their own is ``direct``; nexthops that name the same host and port
count as the first of them.
"""

from __future__ import annotations

import os

from dms_relay.metrics.counters import trusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: The file in the state directory.
RELAYS = "relays"
#: Maximum number of relays with a label of their own while the counters live; all others are ``OTHER``.
LABELS_MAX = 200
#: Labels for mail to no relay, to an unknown one, and to those beyond ``LABELS_MAX``.
DIRECT, UNKNOWN, OTHER = "direct", "unknown", "other"
#: The prefix of our services' names (``postfix.master_cf``).
_SERVICE = b"relay-"
#: The start of smtp(8)'s text if it has reached no host; the host follows, up to the second text.
_UNREACHED = (
    (b"(connect to ", b"["),
    (b"(unable to look up host ", b":"),
    (b"(Host or domain name not found. Name service error for name=", b" "),
)
#: The kinds of lines.
KINDS = ("service", "host", "domain")


class KnownRelays:
    """The labels, by kind and name."""

    def __init__(self, directory: str, labels: Iterable[str] = ()) -> None:
        """Set the directory of the file, and the labels in use already."""
        self._path = f"{directory}/{RELAYS}"
        self._seen: object = None
        self._labels = set(labels)
        self._is_known = False
        self._known: dict[bytes, dict[bytes, str]] = {}

    def look(self) -> None:
        """Read the file again if it was replaced; if it cannot be read, keep what is known."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 -- pathlib takes 1 MiB of memory
            seen = status.st_ino, status.st_mtime_ns, status.st_size
            if seen != self._seen:
                self._seen = seen
                self._take(trusted(self._path))
        except (OSError, ValueError, KeyError):
            return

    def _take(self, data: bytes) -> None:
        known: dict[bytes, dict[bytes, str]] = {kind.encode(): {} for kind in KINDS}
        for line in data.split(b"\n")[:-1]:
            kind, name, label = line.split(b"\t")
            known[kind].setdefault(name, self._bounded(label.decode()))
        self._known, self._is_known = known, True

    def _bounded(self, label: str) -> str:
        if len(self._labels) < LABELS_MAX:
            self._labels.add(label)
        return label if label in self._labels else OTHER

    def label(self, service: bytes, relay: bytes, text: bytes) -> str:
        """Return the label of the service, else of the host in ``relay=…``, else of the unreachable host in ``text``."""
        if not self._is_known:
            return UNKNOWN
        if service.startswith(_SERVICE):
            # No name of a relay has an underscore: relay-NAME_shared, relay-NAME_new.
            return self._known[b"service"].get(service.partition(b"_")[0], UNKNOWN)
        if relay != b"none":
            host, _, rest = relay.partition(b"[")
            return self._of_host(host.lower(), rest.partition(b"]:")[2])
        for words, end in _UNREACHED:
            if text.startswith(words):
                host, _, rest = text[len(words) :].partition(end)
                return self._of_host(host.lower(), rest.partition(b"]:")[2].partition(b":")[0] if end == b"[" else b"")
        return UNKNOWN

    def _of_host(self, host: bytes, port: bytes) -> str:
        """Return the label of a host; if the port is unknown, of that host at any port."""
        hosts, domains = self._known[b"host"], self._known[b"domain"]
        if not port:
            known = {name.rpartition(b":")[0]: label for name, label in (*hosts.items(), *domains.items())}
            return known.get(host, DIRECT)
        found = hosts.get(b"%b:%b" % (host, port))
        while found is None and host and domains:
            found = domains.get(b"%b:%b" % (host, port))
            host = host.partition(b".")[2]
        return found or DIRECT
