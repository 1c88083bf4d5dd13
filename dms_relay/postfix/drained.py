"""The lines that a drain adds to master.cf, so that Postfix takes no new mail and delivers what waits. Pure.

Each service of smtpd(8) gets two parameters that make it refuse every client. With a server to hand over to,
trivial-rewrite(8) gets others that route all outgoing mail to a service of ours, which is added as well::

    smtp inet n - n - - smtpd
      -o { smtpd_client_restrictions = … } -o smtpd_delay_reject=no
    rewrite unix - - n - - trivial-rewrite
      -o default_transport=dms-relay-hand-over:[HOST]:PORT -o …
    dms-relay-hand-over unix - - n - - smtp -o relayhost=[HOST]:PORT
      -o …

The last of two settings of a parameter counts, so these win over others of the same service; parameters of main.cf would
not. They are whole lines, by which they are recognised later. ``programs`` hides them when it reads master.cf, and keeps
them when it writes it (``master_cf_file``): so neither ``apply`` nor the keeper undoes a drain.

Known limits: if another program joins the lines of master.cf, as ``postconf -P`` does for the service that it changes, they
have to be removed by hand. Services that take mail with other programs, such as qmqpd(8), keep taking it.
"""

from __future__ import annotations

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: The file in the queue directory that marks the start of a drain (``drain/marker.py``).
MARKER = "pid/dms-relay.draining"
#: The service that hands mail over.
HAND_OVER = "dms-relay-hand-over"
#: The reply to a client (RFC 3463, X.3.2: system not accepting network messages). With 421, smtpd(8) hangs up.
REPLY = "421 4.3.2 this relay is about to stop and takes no mail, try again"
#: smtpd_delay_reject=no: refuse at once, instead of the greeting, so that clients try another address of the host.
_REFUSAL = f"  -o {{ smtpd_client_restrictions = check_client_access static:{{{REPLY}}} }} -o smtpd_delay_reject=no"
_ROUTE = f"  -o default_transport={HAND_OVER}:"
#: Recipients whose mail stays here keep their transport.
_NO_OTHER_ROUTES = "".join(
    f" -o {name}="
    for name in (
        "transport_maps",
        "sender_dependent_default_transport_maps",
        "sender_dependent_relayhost_maps",
        "relayhost",
    )
)
#: For smtp(8). With ``relayhost`` and ``soft_bounce``, no reply of the other server returns a message, nor does it if that
#: server is not found or is this machine. It gets no login or certificate of ours, and nothing is rewritten: that is the
#: other server's task.
_OVERRIDES = (
    "syslog_name=postfix/dms-relay-hand-over",
    "soft_bounce=yes",
    "smtp_connect_timeout=5s",
    "smtp_helo_timeout=10s",
    "smtp_sasl_auth_enable=no",
    "smtp_sasl_password_maps=",
    "smtp_tls_security_level=may",
    "smtp_tls_policy_maps=inline:{relay.invalid=encrypt}",
    "smtp_tls_wrappermode=no",
    "smtp_tls_chain_files=",
    "smtp_tls_cert_file=",
    "smtp_tls_dcert_file=",
    "smtp_tls_eccert_file=",
    "smtp_fallback_relay=",
    "smtp_delivery_status_filter=",
    "smtp_reply_filter=",
    "smtp_generic_maps=",
    "smtp_header_checks=",
    "smtp_mime_header_checks=",
    "smtp_nested_header_checks=",
    "smtp_body_checks=",
)
_SMTPD, _REWRITE = "smtpd", "rewrite"
_FIELDS = 8
_CHROOT = 4


@frozen
class Drained:
    """The state of a drain: if new mail is refused, the nexthop of the service, and if mail is routed to it."""

    refuses: bool = False
    nexthop: str = ""
    is_route: bool = False


NOT_DRAINED = Drained()


def found(text: str) -> Drained:
    """Return the state of a drain according to the text of master.cf."""
    if not _has_any(text):
        return NOT_DRAINED
    lines = text.split("\n")
    nexthops = [line.rpartition("=")[2] for line in lines if line.startswith(f"{HAND_OVER} ")]
    is_route = any(line.startswith(_ROUTE) for line in lines)
    return Drained(_REFUSAL in lines, nexthops[0] if nexthops else "", is_route)


def _has_any(text: str) -> bool:
    return REPLY in text or HAND_OVER in text


def without(text: str) -> str:
    """Return the text without the lines of a drain."""
    return "\n".join(_others(text.split("\n"))) if _has_any(text) else text


def _others(lines: list[str]) -> Iterator[str]:
    is_service = False
    for line in lines:
        is_service = line.startswith(f"{HAND_OVER} ") or (is_service and line[:1] == " ")
        if not is_service and line != _REFUSAL and not line.startswith(_ROUTE):
            yield line


def with_(text: str, wanted: Drained) -> str:
    """Return a text that has no lines of a drain with the wanted ones added."""
    lines = text.removesuffix("\n").split("\n") if text else []
    added: dict[int, str] = {}
    chroot = "n"
    for end, fields in _services(lines):
        if wanted.refuses and fields[_FIELDS - 1] == _SMTPD:
            added[end] = _REFUSAL
        if wanted.is_route and fields[0] == _REWRITE:
            added[end] = f"{_ROUTE}{wanted.nexthop} -o relay_transport={HAND_OVER}:{wanted.nexthop}{_NO_OTHER_ROUTES}"
        chroot = fields[_CHROOT] if fields[:2] == ["smtp", "unix"] else chroot
    text = "".join(f"{line}\n{added[n] + chr(10) if n in added else ''}" for n, line in enumerate(lines, 1))
    return text + (_service(wanted.nexthop, chroot) if wanted.nexthop else "")


def _services(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each service: the number of its last line, counted from 1, and its fields."""
    from dms_relay.postfix.main_cf import logical_lines  # noqa: PLC0415 -- only for a drain

    for line in logical_lines("\n".join(lines)):
        fields = line.text.split(None, _FIELDS)
        if len(fields) >= _FIELDS:
            yield line.end, fields


def _service(nexthop: str, chroot: str) -> str:
    head = f"{HAND_OVER} unix - - {chroot} - - smtp -o relayhost={nexthop}\n"
    return head + "".join(f"  -o {override}\n" for override in _OVERRIDES)
