"""A real name server on loopback that knows a few names, so that relays have names without the machine's own files."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATAGRAM = 4096


class NameServer:
    """Answers from ``records``: name and type to values. A name without any record is not there.

    A record of type ``SILENT`` gets no answer, one of type ``BROKEN`` the answer SERVFAIL.
    """

    def __init__(
        self, records: Mapping[tuple[str, str], list[str]], address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        """Take an address, with port 0 a free port; the records may change later on."""
        self.records = dict(records)
        #: Every name that was asked for.
        self.asked: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.port = int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        """Answer, in a thread."""
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, client = self._socket.recvfrom(_DATAGRAM)
                if data and (answer := self._answer(dns.message.from_wire(data))):
                    self._socket.sendto(answer.to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name
        self.asked.add(name)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if (name, "SILENT") in self.records:
            return None
        if (name, "BROKEN") in self.records:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found := self.records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
