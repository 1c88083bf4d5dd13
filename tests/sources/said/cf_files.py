"""What is said of ``postfix-relaymap.cf``, ``postfix-sasl-password.cf`` and other files of lines."""

from __future__ import annotations

from tests.checks.given import DEFAULT, ENV_FILE, HOST, LOGIN, LOGINS, MAIN, RELAYMAP, SECRET, YAML
from tests.sources.said import DIRECTORY, GOOD_LOGIN, GOOD_ROUTE, GOOD_YAML, HERE, Said, logins, relaymap

DIRECTLY = (
    "to send it directly, write @a.test alone, and set RELAY_ROUTING=transports where DEFAULT_RELAY_HOST is set;"
    " or a.test: direct under senders in relay.yaml"
)
ADDRESS = "write @domain or user@domain"
AFTER_KEY = "write user:password after the key"
PORT = "write the relay's port, such as 587"
PLAIN = "write [host]:port"
NAME_ONLY = "use letters, digits, hyphens and dots only"
MANAGED = {"vhost": "a.test\n"}

NEXTHOPS = (
    relaymap("write comments on separate lines", "@a.test [r.test]:587 # x\n", f"# x\n{GOOD_ROUTE}"),
    relaymap(
        "write comments on separate lines; separate nexthops with commas",
        "@a.test [r.test]:587 ; x\n",
        f"# x\n{GOOD_ROUTE}",
    ),
    relaymap(
        "write comments on separate lines; separate nexthops with commas",
        "@a.test r.test s.test\n",
        "@a.test [r.test]:587, [s.test]:587\n",
    ),
    relaymap("write [host1]:587, [host2]:587", "@a.test [r.test]:587,\n", "@a.test [r.test]:587, [s.test]:587\n"),
    relaymap("write a colon before the port: [host]:port", "@a.test [r.test] 587\n"),
    relaymap(PLAIN, "@a.test [r.test]:\n"),
    relaymap(PLAIN, "@a.test smtp://r.test:587\n"),
    relaymap(PLAIN, "@a.test [r.test]587\n"),
    relaymap(PLAIN, "@a.test [r.test\n"),
    relaymap("write [r.test]:587", "@a.test [r.test:587\n"),
    relaymap("write [r.test]:587", "@a.test r.test]:587\n"),
    relaymap("write [r.test]:587", "@a.test [r.test:587]\n"),
    relaymap("write only the nexthop: [host]:port", "@a.test smtp:[r.test]:587\n"),
    relaymap("write [address]:port", "@a.test 2001:db8::1\n", "@a.test [2001:db8::1]:587\n"),
    Said(
        "write [host]:port; a login goes in postfix-sasl-password.cf",
        {RELAYMAP: f"@a.test user:{SECRET}@r.test:587\n"},
        then={RELAYMAP: GOOD_ROUTE, LOGINS: GOOD_LOGIN},
    ),
    relaymap(PORT, "@a.test [r.test]:0\n"),
    relaymap("write the relay's host name", "@a.test []:587\n"),
    relaymap("write a host name or address", "@a.test [2001:db8::g]:587\n", "@a.test [2001:db8::1]:587\n"),
    relaymap(
        "write four numbers from 0 to 255, or a host name", "@a.test [300.0.2.1]:587\n", "@a.test [192.0.2.1]:587\n"
    ),
    relaymap("write four numbers from 0 to 255, or a host name", "@a.test [192.0.2]:587\n"),
    relaymap("write a host name", f"@a.test [{'r.' * 200}test]:587\n"),
    relaymap("remove the dot", "@a.test [r.test.]:587\n"),
    relaymap(NAME_ONLY, "@a.test [r_.test]:587\n".replace("r_", "-r")),
    relaymap("remove the quotes", '@a.test "[r.test]:587"\n'),
    relaymap("type a plain space instead", "@a.test\u00a0[r.test]:587\n"),
)
KEYS = (
    relaymap(ADDRESS, "a.test [r.test]:587\n"),
    relaymap(ADDRESS, "@@a.test [r.test]:587\n"),
    relaymap(ADDRESS, '"o b"@a.test [r.test]:587\n', "o.b@a.test [r.test]:587\n"),
    relaymap(ADDRESS, f"{'x' * 400}@a.test [r.test]:587\n"),
    relaymap(NAME_ONLY, "@a_.-test [r.test]:587\n"),
    relaymap("remove the dot", "@a.test. [r.test]:587\n"),
    relaymap("name each subdomain", "@*.a.test [r.test]:587\n", "@x.a.test [r.test]:587\n"),
    relaymap("name each subdomain: @domain", "*.a.test\n", "@x.a.test [r.test]:587\n"),
    Said(
        DIRECTLY,
        {RELAYMAP: "@a.test smtp:\n"},
        {**DEFAULT, **LOGIN},
        {RELAYMAP: "@a.test\n"},
        {**DEFAULT, **LOGIN, "RELAY_ROUTING": "transports"},
    ),
    Said(
        DIRECTLY,
        {RELAYMAP: "@a.test smtp:\n"},
        {},
        {RELAYMAP: None, YAML: f"{GOOD_YAML}senders:\n  a.test: direct\n"},
    ),
    Said(
        "set DEFAULT_RELAY_HOST, which serves every other sender",
        {RELAYMAP: "@ [r.test]:587\n"},
        LOGIN,
        {RELAYMAP: None},
        {**DEFAULT, **LOGIN},
    ),
    logins("write the relay's nexthop as the key: such a login serves every sender", f"* user:{SECRET}\n"),
    Said(
        "write u@a.test: direct under senders in relay.yaml, to send it directly",
        {RELAYMAP: "u@a.test smtp:\n"},
        {},
        {RELAYMAP: None, YAML: f"{GOOD_YAML}senders:\n  u@a.test: direct\n"},
    ),
    relaymap("write @a.test for every sender of the domain", "*@a.test [r.test]:587\n"),
    relaymap("begin it in the first column", f" {GOOD_ROUTE}"),
    Said(
        "only a domain can opt out: @domain",
        {RELAYMAP: "anna@a.test\n", "vhost": "a.test\nb.test\n"},
        {**HOST, **LOGIN},
        {RELAYMAP: "@a.test\n"},
    ),
)
OF_LOGINS = (
    logins("write a key and a login: @domain user:password", "@a.test\n", f"@a.test user:{SECRET}\n{GOOD_LOGIN}"),
    logins("write the key first, then user:password", f"user:pass {SECRET}:x\n"),
    logins("write one line for each nexthop, with its login", f"[r.test]:587,[s.test]:587 user:{SECRET}\n"),
    logins(AFTER_KEY, f"[r.test]:587 {SECRET}\n"),
    logins(
        "write @domain for every sender of the domain",
        f"*@a.test user:{SECRET}\n",
        f"@a.test user:{SECRET}\n{GOOD_LOGIN}",
    ),
    logins(AFTER_KEY, "[r.test]:587 user:\n"),
    logins(AFTER_KEY, f"[r.test]:587 :{SECRET}\n"),
    logins("use the login that the relay gave you", f"[r.test]:587 user:{SECRET * 1000}\n"),
)
KEPT = f".{LOGINS}.dms-relay"
OTHER_LOGIN = f"[s.test]:2525 user:{SECRET}\n"
FILES = (
    logins("repair the file, or remove it", DIRECTORY),
    # The new text is a leftover of its own, whose remedy (rm) is followed as well.
    Said(
        f"repeat that edit, or put {HERE}/{KEPT}.old back in its place",
        {LOGINS: OTHER_LOGIN[:9] + GOOD_LOGIN[9:], f"{KEPT}.old": GOOD_LOGIN, f"{KEPT}.new": OTHER_LOGIN},
        DEFAULT,
        {LOGINS: GOOD_LOGIN, f"{KEPT}.old": None, f"{KEPT}.new": None},
    ),
    relaymap("save it as UTF-8", GOOD_ROUTE.encode("utf-16")),
    relaymap("save the file as UTF-8", f"# für\n{GOOD_ROUTE}".encode("latin-1"), f"# für\n{GOOD_ROUTE}"),
    relaymap("save it as plain text", f"#\0\n{GOOD_ROUTE}", f"#\n{GOOD_ROUTE}"),
    relaymap(
        "save the file with line ends of Unix (LF) or Windows (CRLF)", "@a.test [r.test]:587\r# x\r# y", GOOD_ROUTE
    ),
    Said(
        "write NAME=value, or NAME='value' with quotes",
        {ENV_FILE: "DEFAULT_RELAY_HOST: [r.test]:587\n"},
        LOGIN,
        {ENV_FILE: "DEFAULT_RELAY_HOST=[r.test]:587\n"},
    ),
    Said(
        "write NAME=value",
        {ENV_FILE: "DEFAULT_RELAY_HOST\n"},
        LOGIN,
        {ENV_FILE: "DEFAULT_RELAY_HOST=[r.test]:587\n"},
    ),
    Said(
        "keep only one of them",
        {ENV_FILE: "DEFAULT_RELAY_HOST=[r.test]:587\nDEFAULT_RELAY_HOST=[s.test]:587\n"},
        LOGIN,
        {ENV_FILE: "DEFAULT_RELAY_HOST=[s.test]:587\n"},
    ),
    Said(
        "write the comment on a line of its own, or put the value in quotes if that text is part of it",
        {ENV_FILE: f"RELAY_USER=user\nRELAY_PASSWORD={SECRET} # x\n"},
        DEFAULT,
        {ENV_FILE: f"# x\nRELAY_USER=user\nRELAY_PASSWORD={SECRET}\n"},
    ),
    Said(
        "set RELAY_WATCH in the environment (the container's, or the service's), and remove the line",
        {ENV_FILE: "RELAY_WATCH=no\n"},
        {**DEFAULT, **LOGIN},
        {ENV_FILE: ""},
        {**DEFAULT, **LOGIN, "RELAY_WATCH": "no"},
    ),
    Said("remove the blank", {MAIN: " smtp_helo_name = x.test\n"}, {**DEFAULT, **LOGIN}, {MAIN: ""}),
    Said(
        "write name = value; a comment begins with #",
        {MAIN: "no setting\n"},
        {**DEFAULT, **LOGIN},
        {MAIN: "# no setting\n"},
    ),
    Said("name it once, in one spelling", {"vhost": "a.test\na.test\n"}, {**HOST, **LOGIN}, MANAGED),
    Said(
        NAME_ONLY,
        {"vhost": "a.test\n*.b.test\n"},
        {"RELAY_HOST": "r.test", **LOGIN},
        {"vhost": "a.test\nx.b.test\n"},
    ),
    Said(
        "remove RELAY_ROUTING=maps, or remove relay.yaml",
        {YAML: GOOD_YAML},
        {"RELAY_ROUTING": "maps"},
        {},
        {},
    ),
    Said(
        "remove RELAY_ROUTING=maps, or remove relay.yaml",
        {YAML: GOOD_YAML},
        {"RELAY_ROUTING": "maps", **DEFAULT, **LOGIN},
        {YAML: None},
    ),
)
CASES = (*NEXTHOPS, *KEYS, *OF_LOGINS, *FILES)
