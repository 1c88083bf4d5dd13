"""Input sets, and for each sender what must come of them. The rules are those of relay.sh.

In the inputs, `{a}`, `{b}` and `{c}` stand for the nexthops of three relays
that demand TLS and a login, `{down}` for one where nobody listens, `{a_host}`
and `{a_port}` for the parts of `{a}`, and so on. What must come of them is
written `relay user`, or `relay` alone where nobody logs in. `world` is the
recipient's own server; it takes every login that it is offered, so that a login
in the wrong place shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DOMAINS = ("managed.test", "optout.test", "box.test", "mapped.test")
"""What the server manages."""

SENDERS = {
    "mapped domain": "anna@mapped.test",
    "mapped domain, upper case": "ANNA@MAPPED.TEST",
    "mapped domain, plus-addressed": "anna+news@mapped.test",
    "mapped address": "vip@box.test",
    "mapped address, upper case": "VIP@BOX.TEST",
    "mapped address, plus-addressed": "vip+x@box.test",
    "beside a mapped address": "other@box.test",
    "RELAY_HOST domain": "carl@managed.test",
    "RELAY_HOST domain, upper case": "Carl@Managed.TEST",
    "opted out": "olga@optout.test",
    "opted out, upper case": "OLGA@OPTOUT.TEST",
    "unmanaged domain": "eve@elsewhere.test",
    "null sender": "<>",
}
"""Each kind of sender; what holds for a kind holds for its variants after the comma too."""


@dataclass(frozen=True)
class Case:
    """Inputs, and what must come of them: for every kind of sender `else`, unless it is named."""

    name: str
    expected: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    relaymap: str | None = None
    logins: str | None = None

    def arrival(self, kind: str) -> tuple[str, str | None]:
        """Return relay and user name for a kind of sender."""
        plain = kind.partition(",")[0]
        words = (self.expected.get(kind) or self.expected.get(plain) or self.expected["else"]).split()
        return words[0], words[1] if len(words) > 1 else None


ENV_LOGIN = {"RELAY_USER": "env-user", "RELAY_PASSWORD": "env-user-pw"}
RELAY_HOST_C = {"RELAY_HOST": "{c_host}", "RELAY_PORT": "{c_port}"}

RELAYMAP = """\
@mapped.test      {a}
vip@box.test      {b}
@optout.test
"""

NEXTHOP_LOGINS = """\
{a}  a-user:a-user-pw
{b}  b-user:b-user-pw
{c}  c-user:c-user-pw
"""

CASES = (
    Case(
        "RELAY_HOST only",
        settings=RELAY_HOST_C | ENV_LOGIN,
        expected={
            "else": "c env-user",
            "unmanaged domain": "world",
            "null sender": "world",
        },
    ),
    Case(
        "RELAY_HOST and an opt-out",
        settings=RELAY_HOST_C | ENV_LOGIN,
        relaymap="@optout.test\n",
        expected={
            "else": "c env-user",
            "opted out": "world",
            "unmanaged domain": "world",
            "null sender": "world",
        },
    ),
    Case(
        "DEFAULT_RELAY_HOST only",
        settings={"DEFAULT_RELAY_HOST": "{a}"} | ENV_LOGIN,
        expected={"else": "a env-user"},
    ),
    Case(
        # Only DEFAULT_RELAY_HOST gets the login of ENV; a domain that opts out goes where all other mail goes.
        "both, with a login for each",
        settings={"DEFAULT_RELAY_HOST": "{a}"} | RELAY_HOST_C | ENV_LOGIN,
        relaymap="@optout.test\n",
        logins="{c}  c-user:c-user-pw\n",
        expected={
            "else": "c c-user",
            "opted out": "a env-user",
            "unmanaged domain": "a env-user",
            "null sender": "a env-user",
        },
    ),
    Case(
        "relaymap, logins by sender",
        settings=RELAY_HOST_C,
        relaymap=RELAYMAP,
        logins="@mapped.test  anna-user:anna-user-pw\nvip@box.test  vip-user:vip-user-pw\n{c}  c-user:c-user-pw\n",
        expected={
            "else": "c c-user",
            "mapped domain": "a anna-user",
            "mapped address": "b vip-user",
            "opted out": "world",
            "unmanaged domain": "world",
            "null sender": "world",
        },
    ),
    Case(
        "relaymap, logins by nexthop, the null sender mapped",
        settings=RELAY_HOST_C,
        relaymap=RELAYMAP + "<>  {b}\n",
        logins=NEXTHOP_LOGINS,
        expected={
            "else": "c c-user",
            "mapped domain": "a a-user",
            "mapped address": "b b-user",
            "opted out": "world",
            "unmanaged domain": "world",
            "null sender": "b b-user",
        },
    ),
    Case(
        # A login that is keyed by sender comes before one that is keyed by nexthop, and goes wherever the mail goes:
        # also to a stranger, after an opt-out. A known limit of this routing.
        "a login by sender goes along, even to strangers",
        settings=RELAY_HOST_C,
        relaymap=RELAYMAP,
        logins=NEXTHOP_LOGINS + "@mapped.test  anna-user:anna-user-pw\n@optout.test  olga-user:olga-user-pw\n",
        expected={
            "else": "c c-user",
            "mapped domain": "a anna-user",
            "mapped address": "b b-user",
            "opted out": "world olga-user",
            "unmanaged domain": "world",
            "null sender": "world",
        },
    ),
    Case(
        # The login of ENV is written once for each nexthop of the list.
        "lists of nexthops, the first one down",
        settings={"DEFAULT_RELAY_HOST": "{down}, {a}"} | RELAY_HOST_C | ENV_LOGIN,
        relaymap="@mapped.test  {down}, {b}\n",
        logins="{down}  down-user:down-user-pw\n{b}  b-user:b-user-pw\n{c}  c-user:c-user-pw\n",
        expected={
            "else": "c c-user",
            "mapped domain": "b b-user",
            "unmanaged domain": "a env-user",
            "null sender": "a env-user",
        },
    ),
    Case(
        "lists of nexthops, all of them up",
        settings={"DEFAULT_RELAY_HOST": "{a}, {b}"} | ENV_LOGIN,
        relaymap="@mapped.test  {c} {b}\n",
        logins="{c}  c-user:c-user-pw\n{b}  b-user:b-user-pw\n",
        expected={"else": "a env-user", "mapped domain": "c c-user"},
    ),
)
