"""What is said of ``relay.yaml``."""

from __future__ import annotations

from tests.checks.given import SECRET
from tests.sources.said import GOOD_YAML, HERE, RELAY, Said, below, relay, whole

LOGIN = f"login: {{username: user, password: {SECRET}}}"
ONE_HOST = "host: r.test"
FILE = f"username: user, password_file: {HERE}/s"
MX = "host: 192.0.2.1, tls: {level: encrypt}"
BLOCK = (
    "version: 1\nrelays:\n  r:\n    host: r.test\n    login:\n      username: user\n      password: {}\ndefault: r\n"
)
LONG = "r" * 65
PRINT = f"level: fingerprint, fingerprints: ['{':'.join(['AB'] * 32)}']"


def login(remedy: str, wrong: str, right: str = f"username: user, password: {SECRET}", **secrets: str) -> Said:
    """Make a case of a relay's login, in braces; secret files are empty before."""
    case = relay(remedy, f"{ONE_HOST}, login: {{{wrong}}}", f"{ONE_HOST}, login: {{{right}}}")
    return Said(remedy, {**case.files, **dict.fromkeys(secrets, "")}, {}, {**case.then, **secrets})


def tls(remedy: str, wrong: str, right: str) -> Said:
    """Make a case of a relay's TLS, in braces."""
    return relay(remedy, f"{RELAY}, tls: {{{wrong}}}", f"{RELAY}, tls: {{{right}}}")


def named(remedy: str, wrong: str, right: str = "r") -> Said:
    """Make a case of a relay's name."""
    made = (
        GOOD_YAML.replace("  r:", f"  {name}:").replace("default: r", f"default: {name}") for name in (wrong, right)
    )
    return whole(remedy, *made)


STRUCTURE = (
    whole("indent with spaces", GOOD_YAML.replace("  r:", "\tr:")),
    whole("write a key and its value: key: value", f"{GOOD_YAML}? [senders]\n: {{}}\n"),
    whole("correct the line, or put the value in quotes", f"{GOOD_YAML}senders\n"),
    whole(
        "put the value in quotes", GOOD_YAML.replace(SECRET, f"*{SECRET}"), GOOD_YAML.replace(SECRET, f"'*{SECRET}'")
    ),
    whole("put the value in quotes", BLOCK.format(f"{SECRET} #x"), BLOCK.format(f"'{SECRET}#x'")),
    whole("write it as docs/relay-yaml.md shows", f"{'[' * 20}{']' * 20}\n"),
    whole(
        "write the keys out, or use an alias for a whole value",
        f"{GOOD_YAML.replace('r: {', 'r: &r {')}senders:\n  <<: *r\n",
        f"{GOOD_YAML}senders:\n  a.test: r\n",
    ),
    relay(
        "write the keys out, or use an alias for a whole value", f"{RELAY}, <<: {{mx: false}}", f"{RELAY}, mx: false"
    ),
    relay("remove it, or fill it", f"hosts: [], {LOGIN}", f"hosts: [r.test], {LOGIN}"),
    whole("keep only one of them: YAML would silently drop the first", f"{GOOD_YAML}default: direct\n"),
    whole("write version: 1, and relays: with the relays below it", "[]\n"),
    whole("write the name of each relay, and host: below it", "version: 1\nrelays: [r]\ndefault: r\n"),
    whole("write host: below its name, and other keys as needed", "version: 1\nrelays: {r: r.test}\ndefault: r\n"),
    whole("use one of version, relays, default, senders, recipients", f"{GOOD_YAML}xyzzy: 1\n"),
    whole("write default", GOOD_YAML.replace("default", "defualt")),
    below("write sender: relay, each on a line of its own", "senders: [a.test]\n", "senders:\n  a.test: r\n"),
    below("write recipient: relay, each on a line of its own", "recipients: [x.test]\n", "recipients:\n  x.test: r\n"),
)
HOSTS = (
    relay("write [first, second]", f"hosts: r.test, {LOGIN}", f"hosts: [r.test, s.test], {LOGIN}"),
    relay("write hosts: [first, second]", f"host: 'r.test, s.test', {LOGIN}", f"hosts: [r.test, s.test], {LOGIN}"),
    relay("write hosts: [first, second]", f"host: [r.test, s.test], {LOGIN}", f"hosts: [r.test, s.test], {LOGIN}"),
    relay(
        "write host:port; a login goes in login:", f"hosts: ['u@r.test'], {LOGIN}", f"hosts: ['r.test:587'], {LOGIN}"
    ),
    relay("write host:port; a login goes in login:", f"hosts: ['r.test:'], {LOGIN}", f"hosts: ['r.test:587'], {LOGIN}"),
    relay("remove mx", f"{MX}, mx: true, {LOGIN}", f"{MX}, {LOGIN}"),
    relay("remove the brackets, or mx", f"hosts: ['[r.test]'], mx: true, {LOGIN}", f"hosts: ['[r.test]'], {LOGIN}"),
    named("write a shorter one", LONG),
    named("write one such as mailgun-eu", "R_1", "r-1"),
    named("choose another name: direct means the recipient's own server", "direct"),
)
ROUTES = (
    below("write default: for every other sender", "senders: {'*': r}\n"),
    below("name each domain", "senders: {.a.test: r}\n", "senders: {x.a.test: r}\n"),
    below("write default: for all other mail", "recipients: {'*': r}\n"),
    below("write it under senders", "recipients: {<>: r}\n", "senders: {<>: r}\n"),
    below("use another address", "senders: {'#x@a.test': r}\n", "senders: {x@a.test: r}\n"),
    below("write only the domain", "senders: {'*@a.test': r}\n", "senders: {a.test: r}\n"),
    below(
        "write .domain for a recipient; name each domain of a sender",
        "recipients: {'*.x.test': r}\n",
        "recipients: {.x.test: r}\n",
    ),
    below("write r or direct, or add it to relays", "senders: {a.test: zzz}\n", "senders: {a.test: r}\n"),
    below(
        "remove it",
        f"senders: {{a.test: {{relay: direct, {LOGIN}}}}}\n",
        "senders: {a.test: {relay: direct}}\n",
    ),
    below(
        "remove it: the relay's login applies",
        f"senders: {{<>: {{relay: r, {LOGIN}}}}}\n",
        "senders: {<>: {relay: r}}\n",
    ),
)
KNOWN = "username, password, password_file, password_env, mechanisms, oauth2"
OF_LOGINS = (
    login("put it in quotes", "username: user, password: 0123", "username: user, password: '0123'"),
    login(
        f"use one of {KNOWN}; put a value with a comma in quotes",
        f"username: user, password: {SECRET},xyzzy",
        f"username: user, password: '{SECRET},xyzzy'",
    ),
    login(
        "write username; put a value with a comma in quotes",
        f"username: 'user', password: {SECRET},user",
        f"username: 'user', password: '{SECRET},user'",
    ),
    relay("write username: and password_file: below it", f"{ONE_HOST}, login: user"),
    login("write its path from /, such as /run/secrets/relay", "username: user, password_file: s", FILE, s=SECRET),
    login(
        "write a path of letters, digits and /._+@:~=-",
        "username: user, password_file: '{config}/sß'",
        FILE,
        s=SECRET,
    ),
    login("write the password into it", FILE, FILE, s=SECRET),
    login("set it, or name another", "username: user, password_env: NOT_SET"),
    login("write only the name, such as SES_PASSWORD", "username: user, password_env: $NO"),
    login("use the login that the relay gave you", f"username: user, password: {SECRET * 1000}"),
)
TLS = (
    relay("write level: or another setting below it", f"{RELAY}, tls: encrypt", f"{RELAY}, tls: {{level: encrypt}}"),
    relay(
        "write 25, without quotes".replace("25", "a number from 1 to 65535"),
        f"{RELAY}, port: '25'",
        f"{RELAY}, port: 25",
    ),
    tls(
        "write what openssl x509 -noout -fingerprint -sha256 says after the =",
        "level: fingerprint, fingerprints: ['AB:CD']",
        PRINT,
    ),
    tls("keep only one of them", f"match: r.test, {PRINT}", PRINT),
    tls("write level: secure, or remove it", "match: r.test, level: encrypt", "match: r.test, level: secure"),
    tls(
        "write level: encrypt or a stronger one, or tls: {mode: starttls}",
        "mode: implicit, level: may",
        "level: encrypt",
    ),
)
CASES = (*STRUCTURE, *HOSTS, *ROUTES, *OF_LOGINS, *TLS)
