"""The environment of boky/postfix, as its start scripts apply it (bokysan/docker-postfix, versions 2 to 6).

``RELAYHOST`` takes all mail; without it mail goes directly. The login's key is ``SASL_RELAYHOST``, else ``RELAYHOST``
verbatim. By default TLS is used if offered. ``POSTFIX_name`` is a parameter, set last; an empty one is removed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dms_relay.migrate.access_tokens import provider
from dms_relay.migrate.draft import Left, Name, TakenLogin
from dms_relay.migrate.images import Image, networks, password_of
from dms_relay.migrate.names import ANY_USER
from dms_relay.model import SYSTEM_AUTHORITIES
from dms_relay.model.values import replace
from dms_relay.postfix.nexthop import is_domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dms_relay.migrate.environment import Variables

#: Variables that identify this image.
MARKS = (
    "ALLOWED_SENDER_DOMAINS",
    "ALLOW_EMPTY_SENDER_DOMAINS",
    "RELAYHOST",
    "RELAYHOST_USERNAME",
    "RELAYHOST_TLS_LEVEL",
)
_PREFIX = "POSTFIX_"
_NETWORKS = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
#: Variables that Kubernetes adds for a service called ``postfix-mail``: not parameters.
_ODD_KEY = frozenset("{}$,=:")
_LINK = re.compile(r"MAIL(_[A-Z0-9]+)+")
#: What our image does not support, and what to do instead.
_LEFT = {
    "SMTPD_SASL_USERS": (
        "clients log in with these users",
        "permit their networks: RELAY_PERMIT; there are no logins of clients",
    ),
    "SMTP_HEADER_CHECKS": (
        "changes headers by a table",
        "mount the table, and write smtp_header_checks = regexp:FILE into postfix-main.cf",
    ),
}
#: Older variables of parameters.
_OLDER = {"smtp_tls_security_level": "RELAYHOST_TLS_LEVEL", "message_size_limit": "MESSAGE_SIZE_LIMIT"}
_RECIPIENT_CHECKS = "reject_non_fqdn_recipient, reject_unknown_recipient_domain"
#: Variables that have nothing to do with where mail goes.
_NO_MATTER = frozenset(
    {
        *("TZ", "FORCE_COLOR", "LOG_FORMAT", "INBOUND_DEBUGGING", "SKIP_ROOT_SPOOL_CHOWN", "AUTOSET_HOSTNAME_SERVICES"),
        *("XOAUTH2_INITIAL_ACCESS_TOKEN", "XOAUTH2_SYSLOG_ON_FAILURE", "XOAUTH2_FULL_TRACE"),
        *("ALLOW_EMPTY_SENDER_DOMAINS", "RELAYHOST_PASSWORD_FILENAME", "HOSTNAME"),
        *("XOAUTH2_CLIENT_ID", "XOAUTH2_SECRET", "XOAUTH2_INITIAL_REFRESH_TOKEN", "XOAUTH2_TOKEN_ENDPOINT"),
        *("RELAYHOST_USERNAME", "RELAYHOST_PASSWORD", "RELAYHOST_PASSWORD_FILE", "SASL_RELAYHOST"),
        *("DKIM_AUTOGENERATE", "DKIM_SELECTOR", "DKIM_BACKEND", "MYNETWORKS"),
    }
)
_NO_MATTER_PREFIXES = ("OPENDKIM_", "RSPAMD_")
_DKIM = ("DKIM_AUTOGENERATE", "DKIM_SELECTOR", "DKIM_BACKEND")
_NO_DKIM = (
    "mail is signed (DKIM)",
    "have the relay sign, or write smtpd_milters = inet:HOST:PORT into postfix-main.cf",
)
_NOTES = {
    "ANONYMIZE_EMAILS": ("hides addresses in the log", "hide them where the log is collected"),
    "AUTOSET_HOSTNAME": ("takes the host name from the DNS", "set POSTFIX_MYHOSTNAME to that name"),
}


def image_of(variables: Variables) -> Image:
    """Return the configuration that the image derives from its environment."""
    found = _image_of(variables)
    return replace(found, left=(*found.left, *variables.unknown(_NO_MATTER, _NO_MATTER_PREFIXES)))


def _image_of(variables: Variables) -> Image:
    own = dict(_parameters(variables)) | _older(variables)
    relayhost = own.get("relayhost") or variables.get("RELAYHOST")
    login, left = _login(variables) if variables.get("RELAYHOST") else (None, [])
    hostname = own.pop("myhostname", "") or variables.get("HOSTNAME")
    origin = variables.origin("MYNETWORKS" if variables.get("MYNETWORKS") else "POSTFIX_mynetworks")
    permit, of_networks = networks(variables.get("MYNETWORKS") or own.pop("mynetworks", _NETWORKS), origin)
    own.pop("mynetworks", None)
    main = {**_main(variables, login), **({"myhostname": hostname} if hostname else {}), **own}
    return Image(
        source="boky/postfix",
        main={**{name: value for name, value in main.items() if value or name not in own}, "relayhost": relayhost},
        own={**_own(variables), **own},
        key=variables.get("SASL_RELAYHOST") or variables.get("RELAYHOST"),
        login=login,
        variables={"POSTFIX_MYHOSTNAME": hostname, "RELAY_PERMIT": permit},
        senders=tuple(_senders(variables)),
        left=(*left, *of_networks, *_domains(variables)[1], *_left(variables)),
        origins={"relayhost": variables.origin("RELAYHOST"), **_origins(variables)},
    )


def _parameters(variables: Variables) -> Iterator[tuple[str, str]]:
    for name, value in variables.beginning(_PREFIX).items():
        if not _LINK.match(name):
            yield name, value


def _older(variables: Variables) -> dict[str, str]:
    """Return the parameters of older variables, which override ``POSTFIX_name``."""
    return {name: variables.get(old) for name, old in _OLDER.items() if variables.get(old)}


def _origins(variables: Variables) -> Mapping[str, str]:
    """Return the variables that parameters come from; the later ones win."""
    named = {
        "myhostname": "HOSTNAME",
        "smtpd_recipient_restrictions": "ALLOWED_SENDER_DOMAINS",
        "masquerade_domains": "MASQUERADED_DOMAINS",
    }
    named |= {name: f"{_PREFIX}{name}" for name, _ in _parameters(variables)}
    named |= {name: old for name, old in _OLDER.items() if variables.get(old)}
    return {name: variables.origin(variable) for name, variable in named.items()}


def _main(variables: Variables, login: TakenLogin | None) -> dict[str, str]:
    main = {
        "compatibility_level": "3.6",
        "mydestination": "",
        "relay_domains": "",
        "smtp_tls_security_level": "may",
        **_own(variables),
    }
    if variables.get("RELAYHOST"):
        main["smtp_tls_CAfile"] = SYSTEM_AUTHORITIES
    if login:
        main |= {"smtp_sasl_auth_enable": "yes", "smtp_sasl_security_options": "noanonymous"}
    if login and login.oauth2:
        main["smtp_sasl_mechanism_filter"] = "xoauth2"
    return main


def _own(variables: Variables) -> dict[str, str]:
    """Return the parameters for ``postfix-main.cf``: those that the image sets, and ours does not."""
    own = {"message_size_limit": "0", "header_size_limit": "4096000"}
    if domains := _domains(variables)[0]:
        entries = ", ".join(f"{domain}=OK" for domain in domains)
        checks = f"{_RECIPIENT_CHECKS}, check_sender_access inline:{{{entries}}}, reject"
        own["smtpd_recipient_restrictions"] = checks
    if domain := variables.get("MASQUERADED_DOMAINS"):
        own |= {"masquerade_domains": domain, "local_header_rewrite_clients": "static:all"}
    return own


def _domains(variables: Variables) -> tuple[list[str], list[Left]]:
    """Return the keys of the senders who may send, and those that no ``inline:`` table can have (inline_table(5))."""
    words = variables.get("ALLOWED_SENDER_DOMAINS").split()
    odd = [word for word in words if not _ODD_KEY.isdisjoint(word)]
    origin = variables.origin("ALLOWED_SENDER_DOMAINS")
    left = [Left(origin, f"{word} is no domain", "write domains, with blanks between them") for word in odd]
    return [word for word in words if word not in odd], left


def _senders(variables: Variables) -> Iterator[Name]:
    for domain in filter(is_domain, variables.get("ALLOWED_SENDER_DOMAINS").split()):
        yield Name(domain, f"{ANY_USER}@{domain}", variables.origin("ALLOWED_SENDER_DOMAINS"))


def _login(variables: Variables) -> tuple[TakenLogin | None, list[Left]]:
    username = variables.get("RELAYHOST_USERNAME")
    if username and variables.has("XOAUTH2_CLIENT_ID", "XOAUTH2_SECRET"):
        return _token_login(username, variables)
    password, path, left = password_of(variables, "RELAYHOST_PASSWORD", "RELAYHOST_PASSWORD_FILE")
    if username and (password or path):
        return TakenLogin(username, password, path), left
    if username or password:
        missing = "RELAYHOST_PASSWORD" if username else "RELAYHOST_USERNAME"
        text = f"{missing} is not set, so the image does not log in"
        left.append(
            Left(
                variables.origin("RELAYHOST"),
                text,
                f"set {missing}, and import again, if there is a login",
                is_note=True,
            )
        )
    return None, left


def _token_login(username: str, variables: Variables) -> tuple[TakenLogin, list[Left]]:
    endpoint = variables.get("XOAUTH2_TOKEN_ENDPOINT")
    parts = [*provider(endpoint), ("client_id", variables.get("XOAUTH2_CLIENT_ID"))]
    secret, token = variables.get("XOAUTH2_SECRET"), variables.get("XOAUTH2_INITIAL_REFRESH_TOKEN")
    parts += [("client_secret", secret)] if secret else []
    left = []
    if token:
        parts.append(("refresh_token", token))
    else:
        text = "there is no refresh token, so nobody has given consent yet"
        left.append(Left(variables.origin("XOAUTH2_INITIAL_REFRESH_TOKEN"), text, "run dms-relay login RELAY once"))
    return TakenLogin(username, f"/var/spool/postfix/xoauth2-tokens/{username}", oauth2=tuple(parts)), left


def _left(variables: Variables) -> Iterator[Left]:
    for known, is_note in ((_LEFT, False), (_NOTES, True)):
        for name, (text, remedy) in known.items():
            if variables.get(name) not in {"", "0"}:
                yield Left(variables.origin(name), text, remedy, is_note=is_note)
    if name := next(filter(variables.get, _DKIM), ""):
        yield Left(variables.origin(name), *_NO_DKIM)
