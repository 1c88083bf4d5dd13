"""The keys of ``relay.yaml``: the one definition for both the reader and the JSON Schema. Pure."""

from __future__ import annotations

import re

from dms_relay.model import DIRECT, NULL_SENDER, TLS_LEVELS
from dms_relay.model.oauth2 import TOKEN_MECHANISMS
from dms_relay.postfix.nexthop import PORT_MAX, SyntaxProblem, check_domain, is_plain_domain, refuse_odd_blanks
from dms_relay.shape import Either, Flag, Items, Keys, Number, Table, Text
from dms_relay.sources.relay_yaml import patterns
from dms_relay.sources.relay_yaml.oauth2_keys import OAUTH2, check_file, check_variable
from dms_relay.sources.sasl_password import check_login_part
from dms_relay.sources.text import check_sender_key
from dms_relay.sources.wildcards import EVERYBODY

IMPLICIT, STARTTLS = TLS_MODES = ("implicit", "starttls")
#: Maximum length of a relay's name: ``private/relay-NAME_shared_new`` must fit into a socket's address (unix(7), 108).
NAME_MAX = 64
#: Octets of a SHA-256 digest.
_DIGEST = 32

_NAME = re.compile(rf"[a-z0-9-]{{1,{NAME_MAX}}}")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2})+")
#: The mechanisms for which Cyrus SASL has a client that uses a password, and those of our plugin, which uses a token; in
#: lower or upper case.
MECHANISM_NAMES = (
    *("plain", "login", "cram-md5", "digest-md5", "ntlm", "otp", "srp"),
    *(f"scram-sha-{bits}" for bits in (1, 224, 256, 384, 512)),
    *TOKEN_MECHANISMS,
)
#: What ``match`` may contain besides domains (postconf(5), smtp_tls_secure_cert_match).
_MATCH_WORDS = frozenset({"nexthop", "dot-nexthop", "hostname"})


def _check_name(text: str) -> None:
    if len(text) > NAME_MAX:
        raise SyntaxProblem(f"the name of a relay is longer than {NAME_MAX} characters", "write a shorter one")
    if not _NAME.fullmatch(text):
        raise SyntaxProblem("the name of a relay may contain only a-z, 0-9 and -", "write one such as mailgun-eu")
    if text == DIRECT:
        raise SyntaxProblem(
            f"{DIRECT} is not the name of a relay", f"choose another name: {DIRECT} means the recipient's own server"
        )


def _is_all_below(text: str) -> bool:
    """Return True for ``.domain``: all subdomains of a domain (transport(5))."""
    return text.startswith(".") and "@" not in text


def _check_sender(text: str) -> None:
    if text == NULL_SENDER:
        return
    if text in EVERYBODY:
        raise SyntaxProblem(f"{text} is not a sender", "write default: for every other sender")
    if text.startswith("@.") or _is_all_below(text):
        raise SyntaxProblem("a leading dot (all subdomains) works only for recipients", "name each domain")
    _check_key(text)


def _check_recipient(text: str) -> None:
    if text in EVERYBODY:
        raise SyntaxProblem(f"{text} is not a recipient", "write default: for all other mail")
    if text == NULL_SENDER:
        raise SyntaxProblem("<> is a sender, not a recipient", "write it under senders")
    if _is_all_below(text):
        check_domain(text[1:])
    else:
        _check_key(text)


def _check_key(text: str) -> None:
    """Raise ``SyntaxProblem`` if a Postfix table cannot hold the key, or if it would have no meaning there."""
    if is_plain_domain(text):
        return
    if text.startswith("#"):
        raise SyntaxProblem("the key begins with #, which begins a comment in a lookup table", "use another address")
    if text.startswith("*@"):
        raise SyntaxProblem("* is not a wildcard here", "write only the domain")
    if text.removeprefix("@").startswith(("*.", "%.")):
        raise SyntaxProblem("* is not a wildcard here", "write .domain for a recipient; name each domain of a sender")
    check_sender_key(text if "@" in text else f"@{text}")


def _check_host(text: str) -> None:
    refuse_odd_blanks(text)
    if any(character in text for character in " \t,"):
        raise SyntaxProblem("more than one host", "write hosts: [first, second]")


def check_match(text: str) -> None:
    """Raise ``SyntaxProblem`` if no certificate could have this name."""
    if text not in _MATCH_WORDS:
        check_domain(text.removeprefix("."), "name")


def _check_fingerprint(text: str) -> None:
    if not _FINGERPRINT.fullmatch(text) or len(text.replace(":", "")) != 2 * _DIGEST:
        raise SyntaxProblem(
            "not a SHA-256 fingerprint", "write what openssl x509 -noout -fingerprint -sha256 says after the ="
        )


def _check_password(text: str) -> None:
    check_login_part(text, is_username=False)


def _check_username(text: str) -> None:
    check_login_part(text, is_username=True)


_SECRET_FILE = Text(
    "the absolute path of a file",
    "A file that contains the password; a final line end is removed.",
    check=check_file,
    pattern=patterns.FILE,
    is_secret=True,
)
LOGIN = Keys(
    {
        "username": Text(
            "the user name that the relay gave you",
            "The user name at the relay.",
            check=_check_username,
            pattern=patterns.login_part(is_username=True),
            is_secret=True,
        ),
        "password": Text(
            "the password",
            "Better in a file: anybody who can read this file can read it.",
            _check_password,
            patterns.login_part(is_username=False),
            is_secret=True,
            is_literal=True,
        ),
        "password_file": _SECRET_FILE,
        "password_env": Text(
            "the name of an environment variable",
            "A variable that contains the password; NAME__FILE and relay.env work as well.",
            check_variable,
            pattern=patterns.VARIABLE,
            is_secret=True,
        ),
        "mechanisms": Items(
            Text(f"one of {', '.join(MECHANISM_NAMES)}", choices=(*MECHANISM_NAMES, *map(str.upper, MECHANISM_NAMES))),
            "SASL mechanisms that Postfix may use at this relay, for every login there: plain and login if left out, and"
            " cram-md5 before them at the levels none, may and dane. With oauth2: xoauth2 and oauthbearer.",
            or_one=True,
        ),
        "oauth2": OAUTH2,
    },
    "a login",
    "write username: and password_file: below it",
    "A SASL login: username, and one of password_file, password_env, password, oauth2.",
    required=("username",),
    one_of=(("password_file", "password_env", "password", "oauth2"),),
    is_secret=True,
)
TLS = Keys(
    {
        "level": Text(
            f"one of {', '.join(TLS_LEVELS)}",
            "Postfix's TLS level (TLS_README). secure if left out: TLS, and a certificate that the authorities vouch for.",
            choices=TLS_LEVELS,
        ),
        "mode": Text(
            f"{IMPLICIT} or {STARTTLS}",
            "implicit: TLS from the start, as at ports 465 and 2465. starttls: as at all others.",
            choices=TLS_MODES,
        ),
        "ca_file": Text(
            "the absolute path of a PEM file",
            "The authorities to trust instead of the system's.",
            check_file,
            pattern=patterns.FILE,
        ),
        "match": Items(
            Text("a name that the certificate must have", check=check_match, pattern=patterns.MATCH),
            "Names, one of which the certificate must have, at the levels secure and verify.",
            or_one=True,
        ),
        "fingerprints": Items(
            Text("a SHA-256 fingerprint", check=_check_fingerprint, pattern=patterns.fingerprint(_DIGEST)),
            "SHA-256 fingerprints: the certificate or its public key must have one of these; no authority is checked.",
            or_one=True,
        ),
        "allow_cleartext_login": Flag("Permit a login at a level that does not protect it."),
    },
    "a mapping of TLS settings",
    "write level: or another setting below it",
    "What the relay must prove, and how TLS begins.",
)
_RELAY_NAME = Text("the name of a relay", check=_check_name, pattern=rf"^(?!{DIRECT}$)[a-z0-9-]{{1,{NAME_MAX}}}$")
_HOST = Text("a host name or address", "No MX lookup, unless mx is true.", check=_check_host, pattern=patterns.HOST)
RELAY = Keys(
    {
        "host": _HOST,
        "hosts": Items(
            Text("a host, or host:port", check=_check_host, pattern=patterns.HOST_AND_PORT),
            "Several hosts, tried in this order.",
        ),
        "port": Number(
            f"a number from 1 to {PORT_MAX}",
            "587 if left out (25 with mx). 465 and 2465 mean implicit TLS, others STARTTLS; tls.mode says otherwise.",
            1,
            PORT_MAX,
        ),
        "mx": Flag("Look up the MX hosts of the host."),
        "login": LOGIN,
        "tls": TLS,
    },
    "a relay",
    "write host: below its name, and other keys as needed",
    "A relay by its name: a-z, 0-9 and hyphens.",
    one_of=(("host", "hosts"),),
)
_ROUTE = Text(
    f"the name of a relay, or {DIRECT}",
    f"A relay of this file, or {DIRECT}: to the recipient's own server.",
    pattern=rf"^[a-z0-9-]{{1,{NAME_MAX}}}$",
)
SENDER = Either(
    _ROUTE,
    Keys(
        {"relay": _ROUTE, "login": LOGIN},
        "a mapping of relay and login",
        "write relay: and login: below it",
        "A relay, and a login of the sender's own there.",
        required=("relay",),
    ),
)
RELAY_FILE = Keys(
    {
        "version": Number("1", "Version of this file's format.", 1, 1),
        "relays": Table(
            _RELAY_NAME,
            RELAY,
            "a mapping of relays",
            "write the name of each relay, and host: below it",
            "The relays; each becomes a transport of its own.",
        ),
        "default": _ROUTE,
        "senders": Table(
            Text("a sender: a domain, an address, or <>", check=_check_sender, pattern=patterns.SENDER),
            SENDER,
            "a mapping of senders",
            "write sender: relay, each on a line of its own",
            "By sender: a domain, an address, or <> (bounces and vacation replies).",
            fold=lambda key: key.removeprefix("@").casefold(),
        ),
        "recipients": Table(
            Text("a recipient: a domain, an address, or .domain", check=_check_recipient, pattern=patterns.RECIPIENT),
            _ROUTE,
            "a mapping of recipients",
            "write recipient: relay, each on a line of its own",
            "By recipient: a domain, .domain for all below it, or an address. Wins over the sender's route.",
            fold=lambda key: key.removeprefix("@").casefold(),
        ),
    },
    "a mapping",
    "write version: 1, and relays: with the relays below it",
    required=("version",),
)
