"""The environment of juanluisbaptiste/postfix, as its start script applies it (run.sh of that project, 2018 to 2026).

Everything goes to one relay. At port 465 TLS is required from the start; at others it is used if the relay offers it. A
variable ``POSTFIX_NAME`` is a parameter, in any letter case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.errors import InputError
from dms_relay.migrate.draft import Left, TakenLogin
from dms_relay.migrate.images import Image, networks, password_of
from dms_relay.migrate.kinds import JUANLUISBAPTISTE
from dms_relay.model import Origin, Problem
from dms_relay.model.values import replace
from dms_relay.postfix.nexthop import SyntaxProblem, check_nexthop, is_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.migrate.environment import Variables

#: Variables that identify this image.
MARKS = ("SMTP_SERVER", "SERVER_HOSTNAME")
_PREFIX = "POSTFIX_"
_PORT, _IMPLICIT = "587", "465"
#: Networks that may always send.
_NETWORKS = "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"
#: Variables that do not affect where mail goes, or that others override.
_NO_MATTER = frozenset({"TZ", "DEBUG", "SMTP_USERNAME_FILE", "SMTP_PASSWORD_FILE"})
#: What our image has no variable for, and what to do instead.
_LEFT = {
    "SMTP_HEADER_TAG": (
        "adds a header to each message",
        "write header_checks = regexp:FILE into postfix-main.cf, and mount FILE",
    ),
    "OVERWRITE_FROM": ("rewrites From:", "write smtp_header_checks = regexp:FILE into postfix-main.cf, and mount FILE"),
}
_NOTES = {
    "LOG_SUBJECT": ("logs each subject", "write header_checks = regexp:FILE with /^Subject:/ WARN into postfix-main.cf")
}
#: Variables that become a parameter.
_PARAMETERS = {
    "ALWAYS_ADD_MISSING_HEADERS": "always_add_missing_headers",
    "SMTPUTF8_ENABLE": "smtputf8_enable",
    "MESSAGE_SIZE_LIMIT": "message_size_limit",
    "DESTINATION": "mydestination",
}


def image_of(variables: Variables) -> Image:
    """Return the configuration that the image derives from its environment. Raises ``InputError`` if it would not start."""
    found = _image_of(variables)
    return replace(found, left=(*found.left, *variables.unknown(_NO_MATTER, ())))


def _image_of(variables: Variables) -> Image:
    login, left = _login(variables)
    _require(variables, has_password=bool(login and (login.password or login.path)))
    port = variables.get("SMTP_PORT") or _PORT
    nexthop = f"[{variables.get('SMTP_SERVER')}]:{port}"
    own = {"mydestination": "localhost", **_own(variables)}
    hostname = variables.get("SERVER_HOSTNAME")
    domain = variables.get("DOMAIN") or ".".join(hostname.split(".")[-2:])
    own |= {"mydomain": domain, "myorigin": "$mydomain"}
    permit, of_networks = networks(f"{_NETWORKS}, {variables.get('SMTP_NETWORKS')}", variables.origin("SMTP_NETWORKS"))
    return Image(
        source=f"{JUANLUISBAPTISTE}/postfix",
        main={"compatibility_level": "3.6", "relayhost": nexthop, **_main(port, login), "myhostname": hostname, **own},
        own=own,
        key=nexthop,
        login=login,
        variables={"POSTFIX_MYHOSTNAME": hostname, "RELAY_PERMIT": permit},
        left=(*left, *of_networks, *_left(variables)),
        origins=_origins(variables),
    )


def _main(port: str, login: TakenLogin | None) -> dict[str, str]:
    main = {"smtp_use_tls": "yes", "smtp_host_lookup": "native, dns"}
    if login:
        main |= {"smtp_sasl_auth_enable": "yes", "smtp_sasl_security_options": "noanonymous"}
    if port == _IMPLICIT:
        main |= {"smtp_tls_wrappermode": "yes", "smtp_tls_security_level": "encrypt"}
    return main


def _own(variables: Variables) -> dict[str, str]:
    named = {parameter: variables.get(name) for name, parameter in _PARAMETERS.items() if variables.get(name)}
    return named | {name.lower(): value for name, value in variables.beginning(_PREFIX).items() if value}


def _origins(variables: Variables) -> dict[str, str]:
    """Return the variables that parameters come from; the later ones win."""
    named = {"relayhost": "SMTP_SERVER", "myhostname": "SERVER_HOSTNAME"}
    named["mydomain"] = "DOMAIN" if variables.get("DOMAIN") else "SERVER_HOSTNAME"
    named |= {parameter: name for name, parameter in _PARAMETERS.items() if variables.get(name)}
    named |= {name.lower(): f"{_PREFIX}{name}" for name, value in variables.beginning(_PREFIX).items() if value}
    return {parameter: variables.origin(name) for parameter, name in named.items()}


def _login(variables: Variables) -> tuple[TakenLogin | None, list[Left]]:
    username = variables.get("SMTP_USERNAME")
    if not username and variables.get("SMTP_USERNAME_FILE"):
        text = variables.file("SMTP_USERNAME_FILE")
        if text is None:
            origin = Origin(variables.origin("SMTP_USERNAME_FILE"))
            raise InputError(
                [Problem(origin, "the file that it names cannot be read here", "set SMTP_USERNAME for this import")]
            )
        username = text.split("\n")[0].strip()
    password, path, left = password_of(variables, "SMTP_PASSWORD", "SMTP_PASSWORD_FILE", first_line=True)
    return (TakenLogin(username, password, path) if username else None), left


def _require(variables: Variables, *, has_password: bool) -> None:
    """Raise if the image itself would refuse to start, or Postfix could not use what it writes."""
    problems = [
        Problem(Origin(variables.origin(name)), "is not set, and the image does not start without it", f"set {name}")
        for name in MARKS
        if not variables.get(name)
    ]
    if variables.get("SMTP_USERNAME") and not has_password:
        origin = Origin(variables.origin("SMTP_PASSWORD"))
        problems.append(Problem(origin, "is not set, and SMTP_USERNAME is", "set SMTP_PASSWORD or SMTP_PASSWORD_FILE"))
    port = variables.get("SMTP_PORT") or _PORT
    if not is_port(port):
        origin = Origin(variables.origin("SMTP_PORT"))
        problems.append(Problem(origin, "is not the number of a port", "write a number from 1 to 65535"))
        port = _PORT
    try:
        check_nexthop(f"[{variables.get('SMTP_SERVER') or 'localhost'}]:{port}")
    except SyntaxProblem as problem:
        problems.append(
            Problem(Origin(variables.origin("SMTP_SERVER")), problem.text, "write the host only; the port is SMTP_PORT")
        )
    if problems:
        raise InputError(problems)


def _left(variables: Variables) -> Iterator[Left]:
    for known, is_note in ((_LEFT, False), (_NOTES, True)):
        for name, (text, remedy) in known.items():
            if variables.get(name) not in {"", "no"}:
                yield Left(variables.origin(name), text, remedy, is_note=is_note)
