"""Routes in ``relay.yaml`` that cannot be used, and settings that do not go with it."""

from __future__ import annotations

from tests.invalid_inputs.relay_yaml_kinds import text, who

HASH = "the key begins with #, which begins a comment in a lookup table -- use another address"
STAR = "* is not a wildcard here -- write only the domain"
LEAVES = "so its mail must not leave -- remove the line"
TWICE = "-- keep only one of them: YAML would silently drop the first"
NO_SUCH_RELAY = "there is no relay of this name -- write"
WRITE_ADDRESS = "write @domain or user@domain"
NOT_A_DOMAIN = "is not valid -- use letters, digits, hyphens and dots only"
LEVEL_WORDS = (
    "the value is not one of those allowed -- write one of secure, verify, dane-only, dane, encrypt, may, none"
)
SAY_IN_FILE = " -- choose secure or encrypt, or permit it in relay.yaml"
UNUSED = "relay r is not used -- make it the default, add it to a sender, or remove it"
DOT = "a leading dot (all subdomains) works only for recipients -- name each domain"

ROUTES = (
    text(
        "relays that are not there",
        (
            "version: 1\n"
            "default: rr\n"
            "relays:\n"
            "  r1: {host: r.test}\n"
            "senders:\n"
            "  a.test: zzz\n"
            "  b.test: {relay: dirct}\n"
            "recipients:\n"
            "  c.test: r2\n"
        ),
        f"2:10: {NO_SUCH_RELAY} r1 or direct, or add it to relays",
        f"6:11: {NO_SUCH_RELAY} r1 or direct, or add it to relays",
        f"7:19: {NO_SUCH_RELAY} direct",
        f"9:11: {NO_SUCH_RELAY} r1 or direct, or add it to relays",
    ),
    text("no relays at all", "version: 1\ndefault: ses\n", f"2:10: {NO_SUCH_RELAY} direct, or add it to relays"),
    who(
        "direct with a login",
        "senders:\n  a.test: {relay: direct, login: {username: u, password: s3cret-P4ss}}\n",
        "5:34: mail that goes direct would offer this login to every server -- remove it",
    ),
    who(
        "the null sender with a login",
        'senders:\n  "<>": {relay: r, login: {username: u, password: s3cret-P4ss}}\n',
        "5:27: the null sender cannot have its own login -- remove it: the relay's login applies",
    ),
    who(
        "a sender without a relay",
        "senders:\n  a.test: {login: {username: u, password: s3cret-P4ss}}\n  b.test: [r]\n",
        "5:11: relay is missing -- write relay: the name of a relay, or direct",
        "6:11: a list instead of the name of a relay, or direct -- write the name of a relay, or direct",
    ),
    who(
        "senders twice",
        'senders:\n  a.test: r\n  "@A.test": r\n  u@a.test: r\n  U@A.test: r\n  <>: r\n  "<>": r\n',
        f"6:3: the key is already at 5:3 {TWICE}",
        f"8:3: the key is already at 7:3 {TWICE}",
        f"10:3: the key is already at 9:3 {TWICE}",
    ),
    who(
        "no senders",
        (
            "senders:\n"
            '  "*": r\n'
            "  .a.test: r\n"
            '  "@.a.test": r\n'
            "  -x: r\n"
            "  x y@a.test: r\n"
            "  x@@y: r\n"
            "  user:s3cret-P4ss@a.test: r\n"
            '  "#x@a.test": r\n'
            '  "*@a.test": r\n'
        ),
        "5:3: * is not a sender -- write default: for every other sender",
        f"6:3: {DOT}",
        f"7:3: {DOT}",
        f"8:3: domain in the key {NOT_A_DOMAIN}",
        f"9:3: the key contains a space -- {WRITE_ADDRESS}",
        f"10:3: the key is not an address -- {WRITE_ADDRESS}",
        f"11:3: the key is not an address -- {WRITE_ADDRESS}",
        f"12:3: {HASH}",
        f"13:3: {STAR}",
    ),
    who(
        "recipients twice",
        'recipients:\n  a.test: r\n  "@A.test": r\n  .a.test: r\n  .A.test: r\n',
        f"6:3: the key is already at 5:3 {TWICE}",
        f"8:3: the key is already at 7:3 {TWICE}",
    ),
    who(
        "no recipients",
        'recipients:\n  "*": r\n  <>: r\n  ..a: r\n  "@.a": r\n  "a b@c.test": r\n  "#x@c.test": r\n  "*@c.test": r\n',
        "5:3: * is not a recipient -- write default: for all other mail",
        "6:3: <> is a sender, not a recipient -- write it under senders",
        f'7:3: domain ".a" {NOT_A_DOMAIN}',
        f"8:3: domain in the key {NOT_A_DOMAIN}",
        f"9:3: the key contains a space -- {WRITE_ADDRESS}",
        f"10:3: {HASH}",
        f"11:3: {STAR}",
    ),
    who(
        "a domain of this server, of vhost",
        ("default: r\nrecipients:\n  m.test: r\n  .test: r\n  u@M.test: direct\n  .m.test: r\n  other.test: r\n"),
        f"6:3: m.test is a domain of this server (vhost:1), {LEAVES}",
        f"7:3: m.test is a domain of this server (vhost:1), {LEAVES}",
        f"8:3: m.test is a domain of this server (vhost:1), {LEAVES}",
        files={"vhost": "m.test\n"},
    ),
    who(
        "a domain of this server, of postfix-accounts.cf",
        ("default: r\nrecipients:\n  m.test: r\n  .test: r\n  u@M.test: direct\n  .m.test: r\n  other.test: r\n"),
        f"6:3: M.test is a domain of this server (postfix-accounts.cf:1), {LEAVES}",
        f"7:3: M.test is a domain of this server (postfix-accounts.cf:1), {LEAVES}",
        f"8:3: M.test is a domain of this server (postfix-accounts.cf:1), {LEAVES}",
        files={"postfix-accounts.cf": "a@M.test|{SHA}s3cret-P4ss\n"},
    ),
    who(
        "a domain of this server, of postfix-virtual.cf",
        ("default: r\nrecipients:\n  m.test: r\n  .test: r\n  u@M.test: direct\n  .m.test: r\n  other.test: r\n"),
        f"6:3: m.test is a domain of this server (postfix-virtual.cf:1), {LEAVES}",
        f"7:3: m.test is a domain of this server (postfix-virtual.cf:1), {LEAVES}",
        f"8:3: m.test is a domain of this server (postfix-virtual.cf:1), {LEAVES}",
        files={"postfix-virtual.cf": "a@m.test b@x.test\n"},
    ),
)

SETTINGS = (
    who(
        "maps",
        "default: r\n",
        "env RELAY_ROUTING: there is a relay.yaml, which needs RELAY_ROUTING=transports -- "
        "remove RELAY_ROUTING=maps, or remove relay.yaml",
        env={"RELAY_ROUTING": "maps"},
    ),
    who(
        "another routing",
        "default: r\n",
        "env RELAY_ROUTING: the value is not one of those allowed -- write one of maps, transports",
        env={"RELAY_ROUTING": "tables"},
    ),
    who("another level", "default: r\n", f"env RELAY_TLS_LEVEL: {LEVEL_WORDS}", env={"RELAY_TLS_LEVEL": "high"}),
    who(
        "level fingerprint",
        "default: r\n",
        f"env RELAY_TLS_LEVEL: {LEVEL_WORDS}",
        env={"RELAY_TLS_LEVEL": "fingerprint"},
    ),
    who(
        "level may with a login",
        "",
        f"env RELAY_TLS_LEVEL: level may does not protect the login at relay e-test-25{SAY_IN_FILE}",
        env={
            "RELAY_TLS_LEVEL": "may",
            "DEFAULT_RELAY_HOST": "[e.test]:25",
            "RELAY_USER": "u",
            "RELAY_PASSWORD": "s3cret-P4ss",
        },
        warnings=(f"relay.yaml:3:3: {UNUSED}",),
    ),
    who(
        "level NONE with a login",
        "",
        f"env RELAY_TLS_LEVEL: level none does not protect the login at relay e-test-25{SAY_IN_FILE}",
        env={
            "RELAY_TLS_LEVEL": "NONE",
            "DEFAULT_RELAY_HOST": "[e.test]:25",
            "RELAY_USER": "u",
            "RELAY_PASSWORD": "s3cret-P4ss",
        },
        warnings=(f"relay.yaml:3:3: {UNUSED}",),
    ),
    who(
        "level may with port 465",
        "senders: {a.test: r}\n",
        "env RELAY_TLS_LEVEL: [e.test]:465: implicit TLS (port 465) is not possible at level may -- "
        "set RELAY_TLS_LEVEL=encrypt, or write relay.yaml",
        env={"RELAY_TLS_LEVEL": "may", "DEFAULT_RELAY_HOST": "[e.test]:465"},
    ),
    who(
        "level secure with an address",
        "senders: {a.test: r}\n",
        "env DEFAULT_RELAY_HOST: [192.0.2.1]:25: level secure needs a host name: no certificate matches an address -- "
        "name the host, or write relay.yaml with tls: {match: …}",
        env={"RELAY_TLS_LEVEL": "secure", "DEFAULT_RELAY_HOST": "[192.0.2.1]:25"},
    ),
)

CASES = (*ROUTES, *SETTINGS)
