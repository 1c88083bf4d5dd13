"""Settings that cannot be used, and files that a setting names."""

from __future__ import annotations

import os

from tests.invalid_inputs import SECRET, SECRETS, Content, Odd, Wrong, in_file, setting

NOT_THERE = "a mounted file must exist before the container is created"
REMEDY = "mount the file, or remove the variable"
HOST_COLON = (
    "the host contains a colon, but is not an IPv6 address -- write only the host name; its port goes in RELAY_PORT"
)
PORT = "is not a number from 1 to 65535 -- write the relay's port, such as 587"
COMMENT = "a comment follows the value -- write comments on separate lines"
LINE_END = "the value ends in a line end -- remove the line end: printf writes none, echo does"
QUOTES = "the value has quotes around it -- remove the quotes"
MORE_THAN_ONE = "more than one host name -- name one here; a list of nexthops goes in DEFAULT_RELAY_HOST"
CANNOT_BE_READ = "the line cannot be read -- write NAME=value, or NAME='value' with quotes"


def relay_host(name: str, value: str, error: str) -> Wrong:
    """Make a case of ``RELAY_HOST``."""
    return setting(f"RELAY_HOST: {name}", f"env RELAY_HOST: {error}", RELAY_HOST=value)


def relay_port(value: str, shown: str) -> Wrong:
    """Make a case of ``RELAY_PORT``."""
    return setting(
        f"RELAY_PORT={value!r}", f"env RELAY_PORT: port{shown} {PORT}", RELAY_HOST="r.test", RELAY_PORT=value
    )


def secret(name: str, content: Content | None, error: str, code: int = os.EX_CONFIG) -> Wrong:
    """Make a case of the file that ``RELAY_PASSWORD__FILE`` names; ``None`` is no file."""
    env = {"RELAY_PASSWORD": "", "RELAY_PASSWORD__FILE": f"{SECRETS}/password"}
    secrets = {} if content is None else {"password": content}
    return Wrong(f"secret file: {name}", (f"env RELAY_PASSWORD__FILE: {error}",), env, secrets=secrets, code=code)


RELAY_HOST = (
    relay_host(
        "a port",
        "smtp.test:587",
        'host "smtp.test:587" contains a port -- set RELAY_HOST=smtp.test and RELAY_PORT=587',
    ),
    relay_host(
        "brackets and a port",
        "[smtp.test]:587",
        'host "[smtp.test]:587" contains a port -- set RELAY_HOST=smtp.test and RELAY_PORT=587',
    ),
    relay_host(
        "IPv6 and a port",
        "[2001:db8::1]:25",
        'host "[2001:db8::1]:25" contains a port -- set RELAY_HOST=2001:db8::1 and RELAY_PORT=25',
    ),
    relay_host(
        "a service",
        "smtp.test:submission",
        'host "smtp.test:submission" contains a port -- set RELAY_HOST=smtp.test and RELAY_PORT=submission',
    ),
    relay_host("a login, host and port", f"user:{SECRET}@smtp.test:587", HOST_COLON),
    relay_host("a login", f"user:{SECRET}", HOST_COLON),
    relay_host("a URL", "smtp://smtp.test:587", HOST_COLON),
    relay_host("a transport", "smtp:[smtp.test]:587", HOST_COLON),
    relay_host("two hosts", "a.test, b.test", MORE_THAN_ONE),
    relay_host("a host and a comment", "a.test # note", COMMENT),
    relay_host(
        "one bracket", "[smtp.test", 'host name "[smtp.test" is not valid -- use letters, digits, hyphens and dots only'
    ),
    relay_host("brackets alone", "[]", "the host name is missing -- write the relay's host name"),
    relay_host("blanks alone", "  ", "the host name is missing -- write the relay's host name"),
    relay_host("a line end", "smtp.test\n", LINE_END),
    relay_host("not UTF-8", "smtp\udcfc.test", "the value is not UTF-8 -- write it in UTF-8"),
    relay_host("a dot at the end", "smtp.test.", 'host name "smtp.test." ends in a dot -- remove the dot'),
)

RELAY_PORT = (
    relay_port("abc", ""),
    relay_port("0", ' "0"'),
    relay_port("70000", ' "70000"'),
    relay_port("-1", ""),
    setting("RELAY_PORT: a comment", f"env RELAY_PORT: {COMMENT}", RELAY_HOST="r.test", RELAY_PORT="587 # note"),
    setting("RELAY_PORT: a line end", f"env RELAY_PORT: {LINE_END}", RELAY_HOST="r.test", RELAY_PORT="587\n"),
    setting("RELAY_PORT: quotes", f"env RELAY_PORT: {QUOTES}", RELAY_HOST="r.test", RELAY_PORT='"587"'),
    setting("RELAY_ROUTING: a line end", f"env RELAY_ROUTING: {LINE_END}", RELAY_ROUTING="maps\n"),
    setting("RELAY_ROUTING: quotes", f"env RELAY_ROUTING: {QUOTES}", RELAY_ROUTING="'maps'"),
    setting("RELAY_TLS_LEVEL: a comment", f"env RELAY_TLS_LEVEL: {COMMENT}", RELAY_TLS_LEVEL="encrypt # at least"),
    setting(
        "DEFAULT_RELAY_HOST: a line end", f"env DEFAULT_RELAY_HOST: {LINE_END}", DEFAULT_RELAY_HOST="[r.test]:587\r\n"
    ),
    relay_port("1e3", ""),
    relay_port("000000001999999", ""),
    Wrong(
        "RELAY_PORT alone",
        (f'env RELAY_PORT: port "0" {PORT}',),
        {"RELAY_PORT": "0"},
        warnings=(
            "env RELAY_PORT: RELAY_PORT has no effect without RELAY_HOST -- set RELAY_HOST, or remove RELAY_PORT",
        ),
    ),
)

DEFAULT_RELAY_HOST = (
    setting(
        "a list with a gap",
        "env DEFAULT_RELAY_HOST: a nexthop is missing before or after a comma -- write [host1]:587, [host2]:587",
        DEFAULT_RELAY_HOST="[a.test]:587,,[b.test]:587",
    ),
    setting(
        "the second of a list",
        'env DEFAULT_RELAY_HOST: port "0" is not a number from 1 to 65535 -- write the relay\'s port, such as 587',
        DEFAULT_RELAY_HOST="[a.test]:587, [b.test]:0",
    ),
    setting(
        "two lines",
        "env DEFAULT_RELAY_HOST: the value contains a line end or a control character -- write one line",
        DEFAULT_RELAY_HOST="[a.test]:587\n[b.test]:587",
    ),
)

SECRET_FILES = (
    secret(
        "missing", None, f"the file that it names cannot be read: No such file or directory -- {REMEDY}", os.EX_NOINPUT
    ),
    secret(
        "a directory",
        Odd.DIRECTORY,
        f"the file that it names cannot be read: Is a directory -- {NOT_THERE}",
        os.EX_NOINPUT,
    ),
    secret(
        "a broken link",
        Odd.BROKEN_LINK,
        f"the file that it names cannot be read: No such file or directory -- {REMEDY}",
        os.EX_NOINPUT,
    ),
    secret(
        "too long",
        SECRET * 10_000,
        f"the file that it names cannot be read: longer than 65536 octets -- {REMEDY}",
        os.EX_NOINPUT,
    ),
    secret("Latin-1", f"{SECRET}ü".encode("latin-1"), "the file that it names is not UTF-8 -- save the file as UTF-8"),
    secret("UTF-16", f"{SECRET}\n".encode("utf-16"), "the file that it names is not UTF-8 -- save the file as UTF-8"),
    secret(
        "a byte order mark",
        f"\ufeff{SECRET}\n",
        "the file that it names begins with a byte order mark -- save it as UTF-8 without one",
    ),
    setting(
        "secret file: the secret itself in place of a path",
        "env RELAY_PASSWORD__FILE: is not the absolute path of a file -- name a file, such as /run/secrets/relay",
        RELAY_PASSWORD="",
        RELAY_PASSWORD__FILE=SECRET,
    ),
    Wrong(
        "secret file: of a host, with a port in it",
        ('env RELAY_HOST__FILE: host "smtp.test:587" contains a port -- set RELAY_HOST=smtp.test and RELAY_PORT=587',),
        {"RELAY_HOST__FILE": f"{SECRETS}/host"},
        secrets={"host": "smtp.test:587\r\n"},
    ),
)

RELAY_ENV = (
    in_file("relay.env", "no equals sign", "\nRELAY_HOST\n", "2: the line sets no value -- write NAME=value"),
    in_file("relay.env", "a colon for the equals sign", f"RELAY_PASSWORD: {SECRET}\n", f"1: {CANNOT_BE_READ}"),
    in_file("relay.env", "an open quote", f"RELAY_HOST=r.test\nRELAY_PASSWORD='{SECRET}\n", f"2: {CANNOT_BE_READ}"),
    in_file("relay.env", "text after a quote", f"RELAY_PASSWORD='x'{SECRET}\n", f"1: {CANNOT_BE_READ}"),
    in_file("relay.env", "a bad port", "RELAY_HOST=r.test\nRELAY_PORT=70000\n", f'2: port "70000" {PORT}'),
    Wrong(
        "relay.env: a missing secret file",
        (f"relay.env:1: the file that it names cannot be read: No such file or directory -- {REMEDY}",),
        {"RELAY_USER": ""},
        {"relay.env": "RELAY_USER__FILE=/nowhere/user\n"},
        code=os.EX_NOINPUT,
    ),
)

CASES = (*RELAY_HOST, *RELAY_PORT, *DEFAULT_RELAY_HOST, *SECRET_FILES, *RELAY_ENV)
