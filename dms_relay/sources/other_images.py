"""The variables of other images, and of docker-mailserver's older versions: what to set here instead of each. Pure.

Names are compared in capitals and without underscores. The names are those of boky/postfix, bytemark/smtp, eeacms/postfix,
ixdotai/smtp, juanluisbaptiste/postfix, mwader/postfix-relay, namshi/smtp, panubo/postfix, simenduev/postfix-relay,
tecnativa/postfix-relay, zixia/simple-mail-forwarder, Mailu, and docker-mailserver before version 10.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_EITHER = "DEFAULT_RELAY_HOST or RELAY_HOST"
_LOGIN = "RELAY_USER and RELAY_PASSWORD"
_LOGIN_FILE = "them in postfix-sasl-password.cf: nexthop user:password"
_MAP_FILE = "it in postfix-relaymap.cf: @domain nexthop"
#: What comes before the word that says what a variable is.
_PREFIXES = (
    *("SMTP", "SMTPAUTH", "SMTPSASL", "SMTPSERVER", "SMTPHOST", "SMTPRELAYAUTH", "SMTPRELAYSASL", "SASL", "SASLAUTH"),
    *("SMARTHOST", "SMARTHOSTAUTH", "AWSSES", "AWSSESSMTP", "SES", "SESSMTP", "GMAIL", "MTP", "EXTRELAY", "SMFRELAY"),
    *("RELAYAUTH", "RELAYSASL", "RELAYSMTP", "RELAYHOSTAUTH", "RELAYHOSTSASL", "RELAYSERVER"),
)
_WORDS = {
    "RELAY_PORT, or write the port into DEFAULT_RELAY_HOST": ("PORT",),
    "RELAY_USER": ("USER", "USERNAME", "LOGIN", "ACCOUNT", "USERID"),
    "RELAY_PASSWORD": ("PASS", "PASSWD", "PASSWORD", "PWD", "PW", "SECRET"),
    _EITHER: ("HOST", "SERVER", "ADDRESS", "RELAY", "URL", "URI", "SMARTHOST", "GATEWAY"),
    _LOGIN: ("AUTH", "USERPASS", "CREDENTIALS", "CREDS", "USERPASSWORD"),
    "RELAY_TLS_LEVEL, with RELAY_ROUTING=transports": (
        *("TLS", "SSL", "USETLS", "USESSL", "STARTTLS", "TLSLEVEL", "TLSSECURITYLEVEL", "SECURE", "ENCRYPTION"),
        "TLSVERIFY",
    ),
}
#: Names that are not made of such parts, or mean something else than their parts say.
_NAMES = {
    _EITHER: ("SMARTHOST", "RELAYSMARTHOST", "SMARTHOSTNAME", "SMARTHOSTALIASES"),
    _LOGIN: (
        "RELAYAUTH",
        "RELAYHOSTAUTH",
        "RELAYCREDENTIALS",
        "RELAYHOSTCREDENTIALS",
        "RELAYUSERPASS",
        "SMTPRELAYAUTH",
    ),
    _LOGIN_FILE: (
        *(
            "SASLPASSWD",
            "SASLPASSWDMAP",
            "SASLPASSWORDMAP",
            "SASLPASSWORDMAPS",
            "SMTPSASLPASSWD",
            "SMTPSASLPASSWORDMAP",
        ),
        *(
            "SMTPSASLPASSWORDMAPS",
            "RELAYPASSWORDMAP",
            "RELAYPASSWORDMAPS",
            "RELAYHOSTPASSWORDMAP",
            "RELAYHOSTPASSWORDMAPS",
        ),
    ),
    _MAP_FILE: (
        *("RELAYMAP", "RELAYMAPS", "RELAYHOSTMAP", "RELAYHOSTMAPS", "SENDERRELAYHOST", "SENDERRELAYHOSTS"),
        *("SENDERDEPENDENTRELAYHOST", "SENDERDEPENDENTRELAYHOSTMAP", "SENDERDEPENDENTRELAYHOSTMAPS"),
    ),
    "RELAY_TLS_LEVEL, with RELAY_ROUTING=transports": tuple(
        f"{prefix}{word}"
        for prefix in ("RELAY", "RELAYHOST", "SMTPRELAY")
        for word in ("TLS", "SSL", "USETLS", "STARTTLS", "TLSLEVEL", "TLSSECURITYLEVEL", "ENCRYPTION", "TLSVERIFY")
    ),
    "DEFAULT_RELAY_HOST=[email-smtp.REGION.amazonaws.com]:587": ("SESREGION", "AWSSESREGION"),
}
#: A parameter of Postfix's in the name of a variable (mwader/postfix-relay, boky/postfix): those of a relay.
_PARAMETER = re.compile(r"(?:POSTFIX|POSTCONF)_((?:smtp|sender_dependent|relay)[a-z0-9_]*)")
#: A login alone: the addresses of these two services are well known, and part of what their images set.
_OWN_HOST = {"GMAIL": "DEFAULT_RELAY_HOST=[smtp.gmail.com]:587 and "}

#: Images whose variables ``dms-relay import`` takes over: the one of the relay, the source's name, and others that are
#: theirs alone; one of these must be there as well, since the first may be another program's.
_IMPORTED = {
    "RELAYHOST": ("bokysan", ("RELAYHOST_USERNAME", "RELAYHOST_TLS_LEVEL", "ALLOWED_SENDER_DOMAINS")),
    "SMTP_SERVER": ("juanluisbaptiste", ("SERVER_HOSTNAME",)),
}


def importable(name: str, there: Iterable[str]) -> str:
    """Return what a remedy adds where the variables that are there are those of an image that can be imported."""
    source, others = _IMPORTED.get(name, ("", ()))
    if set(others).isdisjoint(there):
        return ""
    return f"; or run dms-relay import --from {source}, which takes all variables of that image over"


def meant_elsewhere(name: str) -> str:
    """Return what to set here instead of a variable of another image; ``""`` where the name is none of theirs."""
    if parameter := _PARAMETER.fullmatch(name):
        return f"{parameter[1]} in postfix-main.cf"
    squashed = name.upper().replace("_", "").replace("-", "")
    for meant, names in _NAMES.items():
        if squashed in names:
            return meant
    base = squashed.removesuffix("FILE")
    meant = _by_parts(base)
    return f"{meant}__FILE" if meant.isidentifier() and base != squashed else meant


def _by_parts(squashed: str) -> str:
    for prefix in _PREFIXES:
        word = squashed.removeprefix(prefix)
        if word == squashed:
            continue
        for meant, words in _WORDS.items():
            if word in words and (prefix, word) != ("MTP", "HOST"):  # its own name
                return _OWN_HOST.get(prefix, "") + meant
    return ""
