"""Inputs that work otherwise than they seem meant, and what is said of each."""

from __future__ import annotations

from dataclasses import dataclass, field

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
DEFAULT = {"DEFAULT_RELAY_HOST": "[r.test]:587"}
LOGIN = {"RELAY_USER": "user", "RELAY_PASSWORD": "s3cret"}
FULL = {**DEFAULT, **LOGIN}
KEEP_ONE = "keep only one of them"
FIRST = f"comes first -- {KEEP_ONE}"
NO_LOGIN = (
    "no login is set: relays are used without a login, at the TLS level of main.cf -- "
    "set RELAY_USER and RELAY_PASSWORD__FILE, or write postfix-sasl-password.cf"
)
NO_RELAY = (
    "a login is set, but no relay, so nothing is configured -- "
    "set DEFAULT_RELAY_HOST or RELAY_HOST, or write postfix-relaymap.cf"
)
NO_DOMAIN = "RELAY_HOST is not used: there is no managed domain --"
ADD = "or add an account to postfix-accounts.cf"
BOM = "begins with a byte order mark, which is ignored -- save it as UTF-8 without one"
PATTERN = "* is not a wildcard here -- write"
OPT_OUT = "the opt-out of @a.test has no effect"
QUOTE = (
    "is read as a comment -- write the comment on a line of its own,"
    " or put the value in quotes if that text is part of it"
)
SPELLING = "that mapping applies to both spellings -- write the domain in one spelling"
NO_KEY = (
    "no relay has this lookup key, so the login is not used -- "
    "write the key exactly like the nexthop, with brackets and port"
)
NEAR = "no relay has this lookup key, so the login is not used; [r.test]:587 differs in"
NO_SENDER = (
    "this sender has no relay, so its login is offered to every server that receives the mail -- "
    "map the sender in postfix-relaymap.cf, or remove the login"
)
ALL_THE_SAME = "its mail still goes to DEFAULT_RELAY_HOST -- set RELAY_ROUTING=transports, which sends it directly"
IMPLICIT = (
    "needs implicit TLS, which RELAY_ROUTING=maps does not support: no mail can leave through it -- "
    "use the relay's port for STARTTLS, often 587, or set RELAY_ROUTING=transports"
)

HOST_OF_THAT_NAME = "is not a keyword here: the mail goes to a host of that name, so it waits or is returned"
DIRECTLY = (
    "to send it directly, write @a.test alone, and set RELAY_ROUTING=transports where DEFAULT_RELAY_HOST is set;"
    " or a.test: direct under senders in relay.yaml"
)
EVERYBODY = (
    "is not a wildcard here, so the line has no effect -- set DEFAULT_RELAY_HOST, which serves every other sender"
)
NO_RELAY_MEANT = (
    "is not a keyword here: mail goes to a host of that name --"
    " remove the variable if no relay is meant; write [host]:port otherwise"
)


@dataclass(frozen=True)
class Case:
    """Inputs, and every warning of the run in its order."""

    name: str
    env: dict[str, str]
    files: dict[str, str]
    warnings: list[str] = field(default_factory=list)


CASES = (
    Case(
        "nothing is wrong",
        FULL,
        {RELAYMAP: "@a.test [a.test]\n", LOGINS: "[a.test] a:1\r\n@a.test a:2\t \n", "vhost": ""},
    ),
    Case("nothing is set", {}, {}),
    # What stands in the files.
    Case("a byte order mark", FULL, {RELAYMAP: "\ufeff@a.test [a.test]\n"}, [f"{RELAYMAP}: {BOM}"]),
    Case("a byte order mark before a setting", {}, {"relay.env": "\ufeffRELAY_HOST=\n"}, [f"relay.env: {BOM}"]),
    Case(
        "an indented line",
        FULL,
        {RELAYMAP: " @a.test [a.test]\n"},
        [f"{RELAYMAP}:1: the line is indented -- begin it in the first column"],
    ),
    Case(
        "a mapping without an @",
        FULL,
        {RELAYMAP: "# a\na.test [a.test]\n"},
        [f"{RELAYMAP}:2: the key has no @, so the line has no effect -- write @domain or user@domain"],
    ),
    Case(
        "an address alone",
        FULL,
        {RELAYMAP: "user@a.test\n<>\n"},
        [
            f"{RELAYMAP}:{line}: an address without a nexthop has no effect -- only a domain can opt out: @domain"
            for line in (1, 2)
        ],
    ),
    Case(
        "a pattern in the relaymap",
        FULL,
        {RELAYMAP: "*@a.test [a.test]\n"},
        [f"{RELAYMAP}:1: {PATTERN} @a.test for every sender of the domain"],
    ),
    Case(
        "a pattern in the logins",
        FULL,
        {LOGINS: "*@a.test u:1\n"},
        [f"{LOGINS}:1: {PATTERN} @domain for every sender of the domain"],
    ),
    Case(
        "an empty password",
        FULL,
        {LOGINS: "@a.test user:\n"},
        [f"{LOGINS}:1: the password is empty -- write user:password after the key"],
    ),
    Case(
        "a domain twice in vhost",
        {**LOGIN, "RELAY_HOST": "r.test"},
        {"vhost": "a.test\nA.test\n"},
        ["vhost:2: domain A.test is already at vhost:1, so this line is ignored -- name it once, in one spelling"],
    ),
    Case(
        "two spellings in accounts and aliases",
        {**LOGIN, "RELAY_HOST": "r.test"},
        {
            "postfix-accounts.cf": "a@a.test|x\nb@a.test|x\n",
            "postfix-virtual.cf": "c@A.test a@a.test\n@a.test a@a.test\n",
        },
        [
            (
                "postfix-virtual.cf:1: domain A.test is already at postfix-accounts.cf:1, so this line is ignored -- "
                "name it once, in one spelling"
            )
        ],
    ),
    # What the environment says twice, or not at all.
    Case(
        "a value and a file",
        {**FULL, "RELAY_USER__FILE": "/nowhere"},
        {},
        [f"env RELAY_USER__FILE: has no effect, because RELAY_USER is set -- {KEEP_ONE}"],
    ),
    Case(
        "a value and two files",
        {**FULL, "RELAY_USER__FILE": "/x", "RELAY_USER_FILE": "/x"},
        {},
        [
            f"env RELAY_USER_FILE: has no effect, because RELAY_USER is set -- {KEEP_ONE}",
            f"env RELAY_USER__FILE: has no effect, because RELAY_USER is set -- {KEEP_ONE}",
        ],
    ),
    Case(
        "a setting twice in relay.env",
        LOGIN,
        {"relay.env": "DEFAULT_RELAY_HOST=a.test\n\n# x\nexport DEFAULT_RELAY_HOST = 'b.test'\n"},
        [f"relay.env:4: DEFAULT_RELAY_HOST is already set at relay.env:1; the last one is used -- {KEEP_ONE}"],
    ),
    Case(
        "a comment that may belong to a password",
        DEFAULT,
        {"relay.env": "RELAY_USER=user # a\nRELAY_PASSWORD = s3cret #b\n"},
        [
            f"relay.env:1: the text after # in RELAY_USER {QUOTE}",
            f"relay.env:2: the text after # in RELAY_PASSWORD {QUOTE}",
        ],
    ),
    Case(
        "a port without a host",
        {**FULL, "RELAY_PORT": "587"},
        {},
        ["env RELAY_PORT: RELAY_PORT has no effect without RELAY_HOST -- set RELAY_HOST, or remove RELAY_PORT"],
    ),
    Case("no login for a default relay", DEFAULT, {}, [f"env DEFAULT_RELAY_HOST: {NO_LOGIN}"]),
    Case("no login for RELAY_HOST", {"RELAY_HOST": "r.test"}, {"vhost": "a.test"}, [f"env RELAY_HOST: {NO_LOGIN}"]),
    Case("no login for a relaymap", {}, {RELAYMAP: ""}, [f"{RELAYMAP}: {NO_LOGIN}"]),
    Case(
        "a user name alone",
        {**DEFAULT, "RELAY_USER": "u"},
        {LOGINS: ""},
        ["env RELAY_USER: RELAY_USER has no effect without RELAY_PASSWORD -- set RELAY_PASSWORD__FILE"],
    ),
    Case(
        "a password alone",
        {"RELAY_PASSWORD": "s3cret"},
        {},
        ["env RELAY_PASSWORD: RELAY_PASSWORD has no effect without RELAY_USER -- set RELAY_USER"],
    ),
    Case("a login and no relay", LOGIN, {}, [f"env RELAY_USER: {NO_RELAY}"]),
    Case("a file of logins and no relay", {}, {LOGINS: "@a.test u:1\n@b.test u:2\n"}, [f"{LOGINS}:1: {NO_RELAY}"]),
    Case(
        "a login and no default relay",
        LOGIN,
        {RELAYMAP: "@a.test [a.test]\n"},
        [
            (
                "env RELAY_USER: RELAY_USER and RELAY_PASSWORD have no effect: there is no default relay -- "
                "set DEFAULT_RELAY_HOST or RELAY_HOST"
            )
        ],
    ),
    Case(
        "two relays and one login",
        {**FULL, "RELAY_HOST": "s.test"},
        {"vhost": "a.test"},
        [
            (
                "env RELAY_HOST: [s.test]:25 has no login: RELAY_USER applies only to DEFAULT_RELAY_HOST -- "
                "add [s.test]:25 and its login to postfix-sasl-password.cf"
            )
        ],
    ),
    Case(
        "two relays, and a login of each sender",
        {**FULL, "RELAY_HOST": "s.test"},
        {"vhost": "a.test\nb.test\nc.test\n", LOGINS: "@A.test u:1\n@b.test u:2\n", RELAYMAP: "@c.test [r.test]:587\n"},
    ),
    Case("two relays, two logins", {**FULL, "RELAY_HOST": "s.test"}, {"vhost": "a.test", LOGINS: "[s.test]:25 u:1\n"}),
    Case(
        "no managed domain",
        {**LOGIN, "RELAY_HOST": "r.test"},
        {},
        [f"env RELAY_HOST: {NO_DOMAIN} set DEFAULT_RELAY_HOST, {ADD}"],
    ),
    Case(
        "no managed domain, with a default relay",
        {**FULL, "RELAY_HOST": "r.test", "RELAY_PORT": "587"},
        {"vhost": "#\n"},
        [f"env RELAY_HOST: {NO_DOMAIN} remove RELAY_HOST, {ADD}"],
    ),
    # What contradicts itself.
    Case(
        "a mapping twice",
        FULL,
        {RELAYMAP: "@a.test [a.test]\n@A.test [b.test]\n"},
        [f"{RELAYMAP}:2: this mapping of @A.test is ignored, because {RELAYMAP}:1 comes first -- {KEEP_ONE}"],
    ),
    Case(
        "a login twice",
        FULL,
        {LOGINS: "@a.test u:1\n@a.test u:2\n"},
        [f"{LOGINS}:2: this login for @a.test is ignored, because {LOGINS}:1 comes first -- {KEEP_ONE}"],
    ),
    Case("the same login twice", FULL, {LOGINS: "@a.test u:1\n@A.test u:1\n"}, []),
    Case("the same login in the file and the environment", FULL, {LOGINS: "[r.test]:587 user:s3cret\n"}),
    Case(
        "two logins at one nexthop",
        FULL,
        {LOGINS: "[a.test]:587 u:1\n[a.test]:587 v:1\n", RELAYMAP: "@a.test [a.test]:587\n"},
        [
            (
                f"{LOGINS}:2: this login for [a.test]:587 is ignored, because {LOGINS}:1 comes first -- {KEEP_ONE};"
                " the login of a sender has @domain or user@domain as its key"
            )
        ],
    ),
    Case(
        "the default's host at another port",
        {**FULL, "RELAY_HOST": "r.test"},
        {"vhost": "a.test\n"},
        [
            (
                "env RELAY_HOST: [r.test]:25 has no login: RELAY_USER applies only to DEFAULT_RELAY_HOST --"
                " add [r.test]:25 and its login to postfix-sasl-password.cf, or remove RELAY_HOST: both name the same host"
            )
        ],
    ),
    Case("the same default twice", {**FULL, "RELAY_HOST": "r.test", "RELAY_PORT": "587"}, {"vhost": "a.test\n"}),
    # Words that mean something elsewhere.
    Case(
        "a domain that is to go directly",
        FULL,
        {RELAYMAP: "@a.test direct\n"},
        [f"{RELAYMAP}:1: direct {HOST_OF_THAT_NAME} -- {DIRECTLY}"],
    ),
    Case(
        "a verdict of an access table",
        FULL,
        {RELAYMAP: "@a.test OK\n"},
        [f"{RELAYMAP}:1: OK {HOST_OF_THAT_NAME} -- {DIRECTLY}"],
    ),
    Case(
        "an address that is to go directly",
        FULL,
        {RELAYMAP: "u@a.test none\n"},
        [
            (
                f"{RELAYMAP}:1: none {HOST_OF_THAT_NAME} --"
                " write u@a.test: direct under senders in relay.yaml, to send it directly"
            )
        ],
    ),
    Case(
        "a host that has the name of a word",
        FULL,
        {RELAYMAP: "@a.test [direct]:25\n@b.test none:25\n@c.test DUNNO\n"},
    ),
    Case(
        "everybody",
        FULL,
        {RELAYMAP: "* [a.test]\n% [a.test]\n.a.test [a.test]\n"},
        [
            f"{RELAYMAP}:1: * {EVERYBODY}",
            f"{RELAYMAP}:2: % {EVERYBODY}",
            f"{RELAYMAP}:3: the key has no @, so the line has no effect -- name each subdomain: @domain",
        ],
    ),
    Case(
        "no relay",
        {"RELAY_HOST": "none", "DEFAULT_RELAY_HOST": "off", **LOGIN},
        {"vhost": "a.test\n", LOGINS: "[none]:25 u:1\n"},
        [f"env DEFAULT_RELAY_HOST: off {NO_RELAY_MEANT}", f"env RELAY_HOST: none {NO_RELAY_MEANT}"],
    ),
    Case(
        "a login in the file and the environment",
        FULL,
        {LOGINS: "[r.test]:587 u:1\n"},
        [f"env RELAY_USER, env RELAY_PASSWORD: this login for [r.test]:587 is ignored, because {LOGINS}:1 {FIRST}"],
    ),
    Case(
        "an opt-out without RELAY_HOST",
        {},
        {RELAYMAP: "@a.test\n", LOGINS: ""},
        [f"{RELAYMAP}:1: {OPT_OUT} without RELAY_HOST -- remove the line, or set RELAY_HOST"],
    ),
    # What maps cannot do right, and transports can.
    Case(
        "an opt-out under DEFAULT_RELAY_HOST",
        FULL,
        {RELAYMAP: "@a.test\n"},
        [f"{RELAYMAP}:1: {OPT_OUT}: {ALL_THE_SAME}"],
    ),
    Case(
        "an opt-out of both defaults",
        {**FULL, "RELAY_HOST": "r.test", "RELAY_PORT": "587"},
        {RELAYMAP: "@a.test\n", "vhost": "a.test\nb.test\n"},
        [f"{RELAYMAP}:1: {OPT_OUT}: {ALL_THE_SAME}"],
    ),
    Case(
        "a relay on the port of implicit TLS",
        {**FULL, "DEFAULT_RELAY_HOST": "[r.test]:465"},
        {RELAYMAP: "@a.test [r.test]:465\n@b.test [b.test]:smtps\n", LOGINS: ""},
        [
            f"env DEFAULT_RELAY_HOST: [r.test]:465 {IMPLICIT}",
            f"{RELAYMAP}:2: [b.test]:smtps {IMPLICIT}",
        ],
    ),
    Case(
        "the login of a domain, at the relay of an address",
        FULL,
        {RELAYMAP: "@a.test [a.test]\nme@a.test [b.test]\nyou@a.test [a.test]\n", LOGINS: "@a.test u:1\n"},
        [
            (
                f"{RELAYMAP}:2: the login of @a.test ({LOGINS}:1) is also offered to [b.test] -- "
                "give me@a.test its own login, or set RELAY_ROUTING=transports"
            )
        ],
    ),
    Case(
        "the login of an address, at the relay of that address with an extension",
        FULL,
        {RELAYMAP: "me@a.test [a.test]\nme+x@a.test [b.test]\nme+y@a.test [a.test]\n", LOGINS: "me@a.test u:1\n"},
        [
            (
                f"{RELAYMAP}:2: the login of me@a.test ({LOGINS}:1) is also offered to [b.test] -- "
                "give me+x@a.test its own login, or set RELAY_ROUTING=transports"
            ),
        ],
    ),
    Case(
        "the login of a domain that goes by the default, at the relay of an address",
        FULL,
        {RELAYMAP: "me@a.test [b.test]\n", LOGINS: "@a.test u:1\n"},
        [
            (
                f"{RELAYMAP}:1: the login of @a.test ({LOGINS}:1) is also offered to [b.test] -- "
                "give me@a.test its own login, or set RELAY_ROUTING=transports"
            )
        ],
    ),
    Case("a login of an address", FULL, {RELAYMAP: "me@a.test [b.test]\n", LOGINS: "@a.test u:1\nme@a.test u:2\n"}),
    Case(
        "a level without transports",
        {**FULL, "RELAY_TLS_LEVEL": "secure"},
        {},
        ["env RELAY_TLS_LEVEL: RELAY_TLS_LEVEL has no effect with RELAY_ROUTING=maps -- set RELAY_ROUTING=transports"],
    ),
    Case(
        "an opt-out of a mapped domain",
        {**LOGIN, "RELAY_HOST": "r.test"},
        {RELAYMAP: "@a.test\n@A.test [a.test]\n", "vhost": "a.test"},
        [
            f"{RELAYMAP}:1: {OPT_OUT}: {RELAYMAP}:2 maps it -- keep only one of the two lines",
            f"vhost:1: domain a.test is mapped at {RELAYMAP}:2 as @A.test; {SPELLING}",
        ],
    ),
    Case(
        "an opt-out twice",
        {**LOGIN, "RELAY_HOST": "r.test"},
        {RELAYMAP: "@a.test\n@A.test\n", "vhost": "a.test\nb.test"},
    ),
    # Logins that no relay, or any server, will be given.
    Case(
        "a key that is no nexthop",
        FULL,
        {LOGINS: "[x.example]:587 u:1\n"},
        [f"{LOGINS}:1: {NO_KEY}"],
    ),
    Case(
        "a key that is nearly a nexthop",
        FULL,
        {LOGINS: "[r.test]:25 u:1\nr.test:25 u:2\n"},
        [
            f"{LOGINS}:1: {NEAR} its port -- write [r.test]:587 as the key",
            f"{LOGINS}:2: {NEAR} its brackets and its port -- write [r.test]:587 as the key",
        ],
    ),
    Case(
        "a login whose key is nearly that of a relay which has one",
        {},
        {RELAYMAP: "@a.test [r.test]:587\n", LOGINS: "r.test:587 u:1\n[R.test]:587 u:2\n"},
        [f"{LOGINS}:1: {NEAR} its brackets, and already has the login of {LOGINS}:2 -- remove one of the two lines"],
    ),
    Case(
        "a login of a domain without its @",
        {**LOGIN, "DEFAULT_RELAY_HOST": "[r.test]:587"},
        {RELAYMAP: "@A.test [s.test]\n", LOGINS: "a.test u:1\n"},
        [
            (
                f"{LOGINS}:1: no relay has this lookup key, so the login is not used -- "
                "write @a.test if you mean the senders of that domain"
            ),
        ],
    ),
    Case(
        "a sender without a relay",
        {**LOGIN, "RELAY_HOST": "r.test"},
        {RELAYMAP: "@a.test\n", "vhost": "a.test\nb.test", LOGINS: "@a.test u:1\nx@B.test u:2\n"},
        [f"{LOGINS}:1: {NO_SENDER}"],
    ),
    Case(
        "a sender with the default relay, which is none",
        {},
        {RELAYMAP: "@a.test DUNNO\n", LOGINS: "@a.test u:1\n"},
        [f"{LOGINS}:1: {NO_SENDER}"],
    ),
    Case(
        "logins by sender are turned off",
        {},
        {RELAYMAP: "", LOGINS: "@a.test u:1\n", "postfix-main.cf": "smtp_sender_dependent_authentication = no\n"},
    ),
    Case(
        "the operator's own tables",
        FULL,
        {LOGINS: "[x.test] u:1\n", "postfix-main.cf": "smtp_sasl_password_maps = texthash:/etc/x\n"},
    ),
    Case(
        "the operator's own relayhost",
        FULL,
        {LOGINS: "[x.test] u:1\n@a.test u:2\n", "postfix-main.cf": "relayhost = [x.test]\n"},
    ),
    # What the command itself is told.
    Case(
        "a level",
        {**FULL, "LOG_LEVEL": "loud"},
        {},
        ["env LOG_LEVEL: the value is not a level, so info is used -- set one of error, warn, info, debug, trace"],
    ),
    Case(
        "a format",
        {**FULL, "LOG_FORMAT": "xml"},
        {},
        ["env LOG_FORMAT: the value is not a format, so console is used -- set one of console, json, dms"],
    ),
)
