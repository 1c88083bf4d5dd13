"""What is said of settings, and of the files that they name."""

from __future__ import annotations

from tests.checks.given import DEFAULT, HOST, LOGIN, SECRET, TRANSPORTS
from tests.sources.said import HERE, Said, settings

MANAGED = {"vhost": "a.test\n"}
IN_FILE = {"RELAY_PASSWORD": "", "RELAY_PASSWORD__FILE": f"{HERE}/secret"}


def host(remedy: str, wrong: str, **right: str) -> Said:
    """Make a case of ``RELAY_HOST``."""
    return Said(remedy, MANAGED, {"RELAY_HOST": wrong, **LOGIN}, {}, {"RELAY_HOST": "r.test", **LOGIN, **right})


def secret(remedy: str, wrong: str | bytes, right: str = SECRET) -> Said:
    """Make a case of the file that ``RELAY_PASSWORD__FILE`` names."""
    return Said(remedy, {"secret": wrong}, {**DEFAULT, **LOGIN, **IN_FILE}, {"secret": right})


def password(remedy: str, wrong: str) -> Said:
    """Make a case of ``RELAY_PASSWORD``."""
    return settings(remedy, {"RELAY_PASSWORD": wrong}, {"RELAY_PASSWORD": SECRET})


LAST = "remove the line end, which is hardly part of the password: printf writes none, echo and editors do"
CASES = (
    host("set RELAY_HOST=r.test and RELAY_PORT=587", "r.test:587", RELAY_PORT="587"),
    host("write only the host name; its port goes in RELAY_PORT", "smtp://r.test:587", RELAY_PORT="587"),
    Said(
        "name one here; a list of nexthops goes in DEFAULT_RELAY_HOST",
        MANAGED,
        {"RELAY_HOST": "r.test, s.test", **LOGIN},
        {},
        {"DEFAULT_RELAY_HOST": "[r.test]:587, [s.test]:587", **LOGIN},
    ),
    host("write the relay's host name", "[]"),
    host("use letters, digits, hyphens and dots only", "[r.test"),
    host("remove the dot", "r.test."),
    host("remove the line end: printf writes none, echo does", "r.test\n"),
    host("write comments on separate lines", "r.test # x"),
    host("remove the quotes", '"r.test"'),
    host("write it in UTF-8", "r\udcfc.test"),
    Said(
        "write the relay's port, such as 587",
        MANAGED,
        {**HOST, **LOGIN, "RELAY_PORT": "x"},
        {},
        {**HOST, **LOGIN, "RELAY_PORT": "587"},
    ),
    settings("write one line", {"DEFAULT_RELAY_HOST": "[r.test]:587\n[s.test]:587"}, DEFAULT),
    settings("write one of maps, transports", {"RELAY_ROUTING": "mpas"}, {"RELAY_ROUTING": "maps"}),
    settings(
        "remove the variable if no relay is meant; write [host]:port otherwise", {"DEFAULT_RELAY_HOST": "none"}, DEFAULT
    ),
    password(LAST, f"{SECRET}\n"),
    password("write only the password, on one line", f"{SECRET}\nx"),
    password("remove the space", f" {SECRET}"),
    password("write it in UTF-8", f"{SECRET}\udcfc"),
    password("use the login that the relay gave you", SECRET * 1000),
    settings(
        "write only the user name; if the colon belongs to it, use another login",
        {"RELAY_USER": f"user:{SECRET}"},
        LOGIN,
    ),
    Said(
        "write the value into the file",
        {"host": ""},
        {**LOGIN, "DEFAULT_RELAY_HOST__FILE": f"{HERE}/host"},
        {"host": "[r.test]:587"},
    ),
    secret(LAST, f"{SECRET}\n\n"),
    secret("save the file as UTF-8", f"{SECRET}ü".encode("latin-1"), f"{SECRET}ü"),
    secret("save it as UTF-8 without one", f"\ufeff{SECRET}"),
    Said(
        "mount the file, or remove the variable",
        {},
        {**DEFAULT, **LOGIN, **IN_FILE},
        {"secret": SECRET},
    ),
    settings(
        "mount the file, or remove the variable",
        {"RELAY_USER__FILE": f"{HERE}/nobody", "RELAY_USER": ""},
        {},
    ),
    Said(
        "name a file, such as /run/secrets/relay",
        {"secret": SECRET},
        {**DEFAULT, **LOGIN, "RELAY_PASSWORD": "", "RELAY_PASSWORD__FILE": "secret"},
        {},
        {**DEFAULT, **LOGIN, **IN_FILE},
    ),
    settings(
        "name only hosts with the same kind of TLS, or write relay.yaml",
        {"DEFAULT_RELAY_HOST": "[r.test]:465, [s.test]:587", **TRANSPORTS},
        {"DEFAULT_RELAY_HOST": "[r.test]:587, [s.test]:587", **TRANSPORTS},
    ),
    settings(
        "set RELAY_TLS_LEVEL=encrypt, or write relay.yaml",
        {"DEFAULT_RELAY_HOST": "[r.test]:465", "RELAY_TLS_LEVEL": "may", **TRANSPORTS},
        {"DEFAULT_RELAY_HOST": "[r.test]:465", "RELAY_TLS_LEVEL": "encrypt", **TRANSPORTS},
    ),
    settings(
        "name the host, or write relay.yaml with tls: {match: …}",
        {"DEFAULT_RELAY_HOST": "[192.0.2.1]:587", "RELAY_TLS_LEVEL": "secure", **TRANSPORTS},
        {"DEFAULT_RELAY_HOST": "[r.test]:587", "RELAY_TLS_LEVEL": "secure", **TRANSPORTS},
    ),
)
