"""What to do about a reason: for a relay, what ``dms-relay test`` says about the same failure, else general advice. Pure.

If Postfix's text leaves open what is wrong (a certificate, a mechanism), the remedy is to run ``dms-relay test``: it
sees what Postfix does not log.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from dms_relay.mail_queue.delays import Delay, What
from dms_relay.model.oauth2 import NO_TOKEN
from dms_relay.model.relays import CLEARTEXT_LEVELS
from dms_relay.model.values import frozen
from dms_relay.relay_test.diagnosis import diagnose
from dms_relay.relay_test.hints import hints
from dms_relay.relay_test.outcome import Detail, Failure, Observations, Result, StepError
from dms_relay.relay_test.replies import auth_failure, rejected
from dms_relay.relay_test.token_facts import TokenFacts, facts_of
from dms_relay.relay_test.token_refusals import token_failure

if TYPE_CHECKING:
    from dms_relay.relay_test.replies import Reply
    from dms_relay.relay_test.targets import Target

_AGAIN = "Postfix tries again by itself, until maximal_queue_lifetime"
_LOG = "look in Postfix's log for the line that begins with fatal or warning"
_TEST = "run dms-relay test {relay}: it tries the relay now, and says what is wrong and what to write"
#: Valid wherever the mail goes.
_ALL = {
    What.TURN: "wait: Postfix has not tried it yet",
    What.HELD: "postsuper -H ALL releases all mail on hold, postsuper -H QUEUE-ID one message",
    What.STOPPED: (
        "remove {transport} from defer_transports in main.cf, and run postfix reload; postqueue -f tries it all at once"
    ),
    What.POSTFIX: f"{_LOG}: a program of Postfix's or a lookup table fails; dms-relay check finds the usual causes",
    What.HERE: f"no relay is asked: the transport {{transport}} delivers on this server; {_LOG}",
    What.ELSEWHERE: "it has another relay by now: postqueue -f makes Postfix try it there",
    What.MAILBOX_FULL: f"wait: only the recipient can solve this; {_AGAIN}",
    What.GREYLISTED: f"wait: the recipient's server accepts what is sent again after some minutes; {_AGAIN}",
    What.LIMIT: (
        "wait: {host} takes more later; if it happens often, have the service raise the limit, or send more slowly with"
        " default_destination_rate_delay = 1s in main.cf"
    ),
    What.RECIPIENT: (
        f"wait: {_AGAIN}; check the recipient's address, and delete a message with a wrong one by postsuper -d QUEUE-ID"
    ),
    What.TOO_BIG: "postsuper -d QUEUE-ID deletes the message; message_size_limit in main.cf keeps bigger ones out",
    What.OTHER: f"read the reason; {_AGAIN}",
}
#: Valid for mail that goes to the recipient's own server.
_NO_SERVER = (
    f"{_AGAIN}; if no server at all can be reached, the network blocks port 25: send this mail by a relay"
    " (DEFAULT_RELAY_HOST, or default in relay.yaml)"
)
_NO_TLS_DIRECT = (
    "main.cf requires TLS of every server (smtp_tls_security_level = {level}): with RELAY_ROUTING=transports relays are held"
    " to their own level, and smtp_tls_security_level = may lets other mail leave"
)
_DIRECT = {
    What.NAME: "check the recipient's domain; postsuper -d QUEUE-ID deletes a message with a wrong one",
    What.DNS: f"{_AGAIN}; if no name is found, check /etc/resolv.conf, and that the DNS server answers",
    What.LOOP: "the recipient's domain leads to this server, which does not take its mail: add it to mydestination or to its"
    " virtual domains, or correct its MX record",
    **dict.fromkeys(
        (What.REFUSED, What.TIMED_OUT, What.UNREACHABLE, What.BLOCKED, What.LOST, What.NOT_SMTP), _NO_SERVER
    ),
    **dict.fromkeys((What.NO_TLS, What.TLS_NOT_NOW, What.HANDSHAKE, What.CERTIFICATE), _NO_TLS_DIRECT),
    What.TLS_CONFIGURATION: "correct smtp_tls_security_level, smtp_tls_policy_maps or smtp_tls_wrappermode in main.cf",
    **dict.fromkeys(
        (What.LOGIN, What.LOGIN_NOT_NOW, What.MECHANISM),
        "a relay's login is offered to the recipient's own server: run dms-relay check, which says how to keep it there",
    ),
    What.LOGIN_WANTED: "the recipient's server wants a login: send this mail by a relay, or check the recipient's domain",
    What.TLS_WANTED: "set smtp_tls_security_level = may in main.cf, and run postfix reload",
    What.SENDER: "read the reply: usually the sender's domain is not in the DNS, or its SPF does not name this server",
    What.MACHINE: (
        "read the reply; usually this machine's address needs a name in the DNS, and smtp_helo_name in main.cf the same one;"
        " or send this mail by a relay"
    ),
    **dict.fromkeys(
        (What.LATER, What.REJECTED), f"{_AGAIN}; if the reply stays the same, ask the recipient's postmaster"
    ),
}
#: Reasons that the test of a relay sees and Postfix does not log.
_TO_BE_TESTED = frozenset({What.CERTIFICATE, What.MECHANISM})
#: Reasons that waiting does not solve, whatever the code of the reply.
_NOT_BY_WAITING = frozenset({What.SENDER, What.MACHINE})
_UNKNOWN = (
    "run dms-relay explain with its sender and recipient, which says what keeps it from its relay; and dms-relay check"
)
_NO_ANSWER = (
    "check host and port of the relay; ask your network administrator, or the service, whether {host} can be reached"
)
#: What makes Postfix try mail again once an input is corrected; after ``apply`` alone, the mail waits for its planned time.
_THEN = "Then run dms-relay apply, and postqueue -f, which makes Postfix try it at once"
_THEN_IN_CONTAINER = (
    "Then run dms-relay apply (a container gets another variable only when it is created again), and postqueue -f, which"
    " makes Postfix try it at once"
)
#: What is corrected in the inputs: a host, a port, a login. A remedy for one of these may name main.cf or a token instead.
_OF_INPUTS = frozenset(
    {
        *(Failure.NAME, Failure.REFUSED, Failure.BLOCKED, Failure.NOT_SMTP, Failure.NO_TLS, Failure.NO_AUTH),
        *(Failure.IMPLICIT_TLS, Failure.LOGIN),
    }
)
#: Where the host itself may be what is wrong.
_OF_HOST = frozenset({Failure.NAME, Failure.LOOP, Failure.REFUSED})
_EHLO = "the EHLO handshake"
_GREETING = "receiving the initial server greeting"
#: The port between mail servers.
_MX_PORT = 25
#: Implicit TLS (RFC 8314), and Amazon's and Resend's other port.
_IMPLICIT_PORTS = frozenset({465, 2465})


@frozen
class Way:
    """What is known about the way of one message: ``target`` is the relay, the host and the login, ``None`` for direct mail.

    ``helo`` is the name in EHLO, ``level`` the TLS level; ``is_token``: the login takes an access token. ``is_managed``: the
    relay is one of our inputs, so that it can be tested; ``is_known``: the relay is known at all.
    """

    transport: str
    host: str
    level: str
    helo: str = ""
    target: Target | None = None
    is_token: bool = False
    is_managed: bool = False
    is_known: bool = True


def remedy(found: Delay, way: Way) -> str:
    """Return what to do about a reason."""
    facts = {"transport": way.transport, "host": found.host or way.host or "the server", "level": way.level}
    if found.what in _ALL:
        return _ALL[found.what].format_map(facts)
    if not way.is_known:
        return _UNKNOWN
    if way.target is None:
        return _DIRECT[found.what].format_map(facts)
    if way.is_managed and _is_open(found, way.target):
        return _TEST.format(relay=quote(way.target.relay))
    return _as_tested(found, way, way.target, facts["host"])


def _is_open(found: Delay, target: Target) -> bool:
    """Return True if Postfix's text leaves open what is wrong: smtp(8) says EHLO for AUTH too, and not what was refused."""
    is_at_login = found.what is What.LOST and _EHLO in found.step and target.entry is not None
    is_at_ehlo = found.what is What.MACHINE and found.step == "greeting"
    return found.what in _TO_BE_TESTED or is_at_login or is_at_ehlo


def _as_tested(found: Delay, way: Way, target: Target, host: str) -> str:
    """Return the remedy of ``dms-relay test``, with what is known about the service."""
    error = _error(found, way, target)
    if error.kind is Failure.TIMED_OUT and target.port != _MX_PORT:
        return _NO_ANSWER.format(host=host)
    told = diagnose(Result(target, Observations(), 0, error))
    where = [f"The relay is written at {target.origins[0]}"] if error.kind in _OF_HOST and target.origins else []
    then = [_then(error, target)] if way.is_managed and _is_of_inputs(error) else []
    return ". ".join([*([told.remedy] if told else []), *where, *hints(target.host, error.kind), *then])


def _then(error: StepError, target: Target) -> str:
    """Return what has mail tried again once the place of a login, or of a relay, is corrected."""
    places = [str(target.entry.origin)] if error.kind is Failure.LOGIN and target.entry else map(str, target.origins)
    return _THEN_IN_CONTAINER if any(place.startswith("env ") for place in places) else _THEN


def _is_of_inputs(error: StepError) -> bool:
    is_wanted = error.kind is Failure.REJECTED and error.detail is Detail.LOGIN_WANTED
    return is_wanted or (error.kind in _OF_INPUTS and error.detail is Detail.NONE)


_KINDS = {
    What.NAME: (Failure.NAME, Detail.NONE),
    What.DNS: (Failure.NAME, Detail.DNS),
    What.LOOP: (Failure.LOOP, Detail.NONE),
    What.REFUSED: (Failure.REFUSED, Detail.NONE),
    What.TIMED_OUT: (Failure.TIMED_OUT, Detail.NONE),
    What.BLOCKED: (Failure.BLOCKED, Detail.NONE),
    What.UNREACHABLE: (Failure.UNREACHABLE, Detail.NONE),
    What.LOST: (Failure.LOST, Detail.NONE),
    What.NOT_SMTP: (Failure.NOT_SMTP, Detail.NONE),
    What.NO_TLS: (Failure.NO_TLS, Detail.NONE),
    What.TLS_NOT_NOW: (Failure.REJECTED, Detail.TLS_NOT_NOW),
    What.HANDSHAKE: (Failure.HANDSHAKE, Detail.NONE),
    What.CERTIFICATE: (Failure.CERTIFICATE, Detail.NONE),
    What.MECHANISM: (Failure.MECHANISM, Detail.NOT_OURS),
    What.TLS_CONFIGURATION: (Failure.CONFIGURATION, Detail.NONE),
}


def _error(found: Delay, way: Way, target: Target) -> StepError:
    """Return the failure that the test of the relay would have."""
    is_implicit, at_implicit = target.demand.implicit, target.port in _IMPLICIT_PORTS
    if found.what in {What.TIMED_OUT, What.LOST} and found.step == _GREETING and at_implicit and not is_implicit:
        return StepError(Failure.IMPLICIT_TLS, found.what)
    if found.what is What.HANDSHAKE and is_implicit and not at_implicit:
        return StepError(Failure.STARTTLS, found.what)
    if found.reply is None or found.what in _KINDS:
        return StepError(*_of_kind(found.what))
    in_tls = way.level not in CLEARTEXT_LEVELS
    if found.step == "AUTH":
        return _login_failure(found, found.reply, target, in_tls=in_tls, is_token=way.is_token)
    if found.what is What.LOGIN_WANTED and target.entry:
        # The server offers no AUTH, so Postfix sent no login: an accepted one would not be asked for.
        return StepError(Failure.NO_AUTH, found.what)
    error = rejected(found.what, found.reply, way.helo, in_tls=in_tls, has_login=target.entry is not None)
    if error.detail is Detail.TEMPORARY and found.what in _NOT_BY_WAITING:
        error.detail = Detail.NONE
    return error


def _of_kind(what: What) -> tuple[Failure, str, str, Detail]:
    kind, detail = _KINDS.get(what, (Failure.REJECTED, Detail.NONE))
    return kind, what, "", detail


def _login_failure(found: Delay, reply: Reply, target: Target, *, in_tls: bool, is_token: bool) -> StepError:
    if not is_token or target.entry is None:
        return auth_failure(found.what, reply, in_tls=in_tls)
    token = target.entry.login.password
    if token == NO_TOKEN:
        return StepError(Failure.TOKEN, found.what)
    return token_failure(found.what, reply, "", facts_of(token, TokenFacts()))
