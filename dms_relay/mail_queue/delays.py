"""Classifies what Postfix writes about why a message waits. Pure.

The texts are those of smtp(8) (smtp_connect.c, smtp_proto.c, smtp_sasl_glue.c) and of qmgr(8), seen on Postfix 3.7 in every
state of ``tests/running/states.py``. They contain a server's reply on one line.

Known limits: smtp(8) reports a connection lost during AUTH as lost during EHLO; a server that asks for a delay does not
always say why.
"""

from __future__ import annotations

import re
from enum import StrEnum

from dms_relay.model.values import frozen
from dms_relay.relay_test.replies import Reply
from dms_relay.relay_test.secrets import printable


class What(StrEnum):
    """The class of a reason, as shown to people."""

    TURN = "waits for its turn"
    HELD = "on hold"
    NAME = "host not found"
    DNS = "DNS fails"
    LOOP = "loops back to this server"
    REFUSED = "connection refused"
    TIMED_OUT = "no answer"
    BLOCKED = "connection blocked"
    UNREACHABLE = "no route to the host"
    LOST = "connection lost"
    NOT_SMTP = "not a mail server"
    NO_TLS = "no TLS offered"
    TLS_NOT_NOW = "TLS refused for now"
    HANDSHAKE = "TLS handshake fails"
    CERTIFICATE = "certificate not accepted"
    TLS_CONFIGURATION = "wrong TLS configuration"
    LOGIN = "login refused"
    LOGIN_NOT_NOW = "login refused for now"
    MECHANISM = "no login mechanism in common"
    LOGIN_WANTED = "login wanted"
    TLS_WANTED = "TLS wanted"
    LIMIT = "sending limit"
    MAILBOX_FULL = "mailbox full"
    GREYLISTED = "greylisted"
    RECIPIENT = "recipient refused for now"
    SENDER = "sender refused"
    MACHINE = "this server refused"
    LATER = "asked to try later"
    REJECTED = "rejected"
    TOO_BIG = "message too big"
    STOPPED = "transport stopped"
    POSTFIX = "Postfix cannot deliver"
    HERE = "delivery on this server"
    ELSEWHERE = "tried at another host before"
    OTHER = "another reason"


@frozen
class Delay:
    """One reason: its class, the host that it names, the server's reply, and the step of smtp(8) at that moment."""

    what: What
    host: str = ""
    reply: Reply | None = None
    step: str = ""


_SUSPENDED = "delivery temporarily suspended: "
#: ``smtp.example.com[192.0.2.1]``, with a port if the connection failed.
_HOST = r"(?P<host>[^\s\[\]]*)\[[^\]]*\](?::\w+)?"
_WITH_REPLY = (
    (rf"SASL (?:\[CACHED\] )?authentication failed; server {_HOST} said: (?P<reply>.*)", "AUTH"),
    (rf"TLS is required, but host {_HOST} refused to start TLS: (?P<reply>.*)", "STARTTLS"),
    (rf"host {_HOST} refused to talk to me: (?P<reply>.*)", "greeting"),
    (rf"host {_HOST} said: (?P<reply>.*?)(?: \(in reply to (?P<step>[^()]*)\))?", ""),
)
#: The system's errors for a connection that fails (connect(2)), in the words of glibc and musl.
_CONNECT = {
    "Connection refused": What.REFUSED,
    "Connection timed out": What.TIMED_OUT,
    "Operation timed out": What.TIMED_OUT,
    "No route to host": What.UNREACHABLE,
    "Host is unreachable": What.UNREACHABLE,
    "Network is unreachable": What.UNREACHABLE,
    "Network unreachable": What.UNREACHABLE,
    "Cannot assign requested address": What.UNREACHABLE,
    "Address not available": What.UNREACHABLE,
    "Address family not supported by protocol": What.UNREACHABLE,
    "Permission denied": What.BLOCKED,
    "Operation not permitted": What.BLOCKED,
}
_NAMED = r"name=(?P<host>\S+) type="
_OTHERS = (
    (rf"conversation with {_HOST} timed out while (?P<step>.*)", What.TIMED_OUT),
    (rf"lost connection with {_HOST} while (?P<step>.*)", What.LOST),
    (rf"TLS is required, but was not offered by host {_HOST}.*", What.NO_TLS),
    (r"Cannot start TLS: .*", What.HANDSHAKE),
    (r"Server certificate not (?:trusted|verified).*", What.CERTIFICATE),
    (r"client TLS configuration problem.*", What.TLS_CONFIGURATION),
    (rf"SASL authentication failed: server {_HOST} offered no compatible .*", What.MECHANISM),
    (rf"SASL authentication failed; cannot authenticate to server {_HOST}: .*", What.MECHANISM),
    (rf"Host or domain name not found\. .*{_NAMED}.*(?:try again|Malformed|Invalid).*", What.DNS),
    (r"unable to look up host (?P<host>\S+): Temporary failure in name resolution", What.DNS),
    (rf"Host or domain name not found\. .*{_NAMED}.*", What.NAME),
    (r"unable to look up host (?P<host>\S+): .*", What.NAME),
    (r"Domain \S+ does not accept mail \(nullMX\)|no MX host for \S+ has a valid .*address.*", What.NAME),
    (r".*\bloops back to myself.*|.*: mail loops.*|unable to find primary relay for .*", What.LOOP),
    (rf"message size \d+ exceeds size limit \d+ of server {_HOST}", What.TOO_BIG),
    (r"(?:\d\.\d\.\d )?deferred transport", What.STOPPED),
    (
        (
            r".*(?:mail transport unavailable|unknown mail transport error|address resolver failure|configuration error"
            r"|configuration problem|Temporary lookup failure|TLS engine is unavailable).*"
        ),
        What.POSTFIX,
    ),
)
#: Sending limits of Google, Microsoft, Amazon and others, in their words; 4.7.28, 5.4.5 and 4.5.3 are Google's.
_LIMIT = re.compile(
    r"\b[45]\.(7\.28|4\.5|5\.3)\b|rate[- ]?limit|throttl|too many (messages|connections|recipients|e?mails|requests|login)"
    r"|(sending|send|message|mail|hourly|daily|submission)( \w+){0,3} (limit|quota)\b|limits? (is |was |has been )?exceeded"
    r"|maximum sending rate|unusual rate|concurrent connections|exceeded( \w+){0,4} (limit|rate)",
    re.IGNORECASE,
)
_MAILBOX_FULL = re.compile(
    r"\b[45]\.2\.2\b|(mailbox|inbox|account|user|quota)( \w+){0,3} (full|exceeded|exhausted|over)|over ?quota|quota exceeded"
    r"|out of storage space|insufficient (disk|storage|mailbox)( \w+){0,2} (quota|user|mailbox)",
    re.IGNORECASE,
)
_GREYLISTED = re.compile(r"gr[ae]y-?list", re.IGNORECASE)
#: RFC 3463, section 3.2: the destination address; the sender's address (X.1.7, X.1.8), which others put in words.
_RECIPIENT = re.compile(
    r"\b4\.(1\.[12346]|2\.[01])\b|recipient address rejected|user unknown|unverified", re.IGNORECASE
)
_SENDER = re.compile(
    r"\b[45]\.1\.[78]\b|sender (address|domain) (rejected|not |must|is not)|SendAsDenied|5\.2\.252\b|5\.7\.60\b"
    r"|(from|sender)( \w+){0,3} not (verified|allowed|authorized|owned)|not verified",
    re.IGNORECASE,
)
_MACHINE = re.compile(
    r"client host|helo command|\b(HELO|EHLO)\b|blocked using|blocklist|blacklist|reverse DNS|PTR\b", re.IGNORECASE
)
_REPLY = re.compile(r"(\d{3})[ -]?(.*)")
_RCPT, _DATA_END = "RCPT TO", "end of DATA"


def delay(text: str) -> Delay:
    """Return the class of a reason, ``OTHER`` if it is unknown. An empty text belongs to a message not tried yet."""
    text = " ".join(text.split()).removeprefix(_SUSPENDED)
    if not text:
        return Delay(What.TURN)
    for pattern, step in _WITH_REPLY:
        if found := re.fullmatch(pattern, text):
            return _of_reply(found["host"], found["reply"], step or found["step"] or "")
    if found := re.fullmatch(rf"connect to {_HOST}: (?P<why>.*)", text):
        return Delay(_CONNECT.get(found["why"], What.LOST), found["host"])
    for pattern, what in _OTHERS:
        if found := re.fullmatch(pattern, text):
            groups = found.groupdict()
            return Delay(what, groups.get("host") or "", None, groups.get("step") or "")
    return Delay(What.OTHER)


def _of_reply(host: str, text: str, step: str) -> Delay:
    found = _REPLY.fullmatch(text)
    if found is None or found[1][0] not in "45":
        return Delay(What.NOT_SMTP if step == "greeting" else What.OTHER, host, None, step)
    # Printable, since it is shown with a failure.
    reply = Reply(int(found[1]), (found[2],), printable(text))
    return Delay(_class_of(reply, step), host, reply, step)


def _class_of(reply: Reply, step: str) -> What:
    if step == "AUTH":
        return What.LOGIN_NOT_NOW if reply.is_temporary and not reply.refuses_passwords else What.LOGIN
    if step == "STARTTLS":
        return What.TLS_NOT_NOW if reply.is_temporary else What.NO_TLS
    return _class_of_refusal(reply, step)


def _class_of_refusal(reply: Reply, step: str) -> What:
    """Return the class of a reply to EHLO or a later command: the first that fits its text."""
    text = reply.text
    is_late = step.startswith((_RCPT, _DATA_END))
    tests = (
        (What.LIMIT, bool(_LIMIT.search(text))),
        (What.TLS_WANTED, reply.wants_tls),
        (What.LOGIN_WANTED, reply.wants_login),
        (What.GREYLISTED, bool(_GREYLISTED.search(text))),
        (What.MAILBOX_FULL, is_late and bool(_MAILBOX_FULL.search(text))),
        (What.MACHINE, bool(_MACHINE.search(text)) or (step == "greeting" and not reply.is_temporary)),
        (What.SENDER, bool(_SENDER.search(text))),
        (What.RECIPIENT, is_late and bool(_RECIPIENT.search(text))),
        (What.LATER, reply.is_temporary),
    )
    return next((what for what, is_so in tests if is_so), What.REJECTED)
