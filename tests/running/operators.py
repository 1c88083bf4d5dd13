"""What an operator may have set before us: random settings of main.cf, tables and services that change a message's way.

They name the relays and strangers of `leaks.py`, a relay `i` with TLS from the first octet, and a host where nobody listens.
"""

from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from testbed import Relay
from testbed.layout import write_old
from tests.running.leaks import RECIPIENTS, SENDERS

DOWN = "127.0.0.99"
"""A host where nobody listens."""
LEVELS = ("may", "Encrypt", "none", "")
SERVICES = ("own-a", "own-i", "own-off")
OWN_SENDER = "u@own.test"
"""A sender of the machine's own domain, who is looked up without it as well."""
MORE_SENDERS = (*SENDERS, OWN_SENDER, "U@D1.test", "v+x@d1.test")
MORE_RECIPIENTS = (*RECIPIENTS, "r@sub.x.test", "R@X.test", "r+ext@x.test")


@dataclass(frozen=True)
class Operator:
    """Settings of main.cf, with `{a}` in place of a relay's nexthop, and the lines of a table `transport`."""

    settings: dict[str, str]
    transport: dict[str, str] = field(default_factory=dict)
    policy: dict[str, str] = field(default_factory=dict)

    def write(self, directory: Path, base: str, relays: dict[str, Relay]) -> None:
        """Write main.cf, and the tables that it names, into Postfix's configuration directory."""
        nexthops = {name: relay.nexthop for name, relay in relays.items()} | {"down": f"[{DOWN}]:5870"}
        lines = [f"{name} = {value.format(dir=directory, **nexthops)}\n" for name, value in self.settings.items()]
        write_old(directory / "main.cf", base + "".join(lines))
        tables = {"transport": self.transport, "policy": self.policy, "patterns": _PATTERNS}
        for name, table in tables.items():
            text = "".join(f"{key.format(**nexthops)} {value.format(**nexthops)}\n" for key, value in table.items())
            write_old(directory / name, text)


_PATTERNS = {r"/^s@x\.test$/": "own-a:{a}", r"/^y\.test$/": "own-off:{b}", r"/^\*$/": "own-off:{c}"}
"""Patterns are asked for whole addresses only, and for `*`."""
_nexthops = st.sampled_from(["{a}", "{b}", "{down}, {c}", "{d} {a}", "x.test"])
_transports = st.one_of(
    st.sampled_from(["smtp:", ":", "own-a:", "own-i:{i}", "own-off:{b}", "relay:{c}", ":{d}", "smtp:y.test"]),
    _nexthops.map("smtp:{}".format),
)
_senders = st.sampled_from(["@d1.test", "u@d1.test", "<>", "@other.test", "u", "@own.test", "w@d3.test", "@d2.test"])
_recipients = st.sampled_from(["x.test", "r@x.test", ".x.test", "sub.x.test", ".test", "*", "y.test", "s@x.test"])
_policies = st.sampled_from(["{a}", "{b}", "{c}", "x.test", ".test", "y.test", "{d}"])


def _inline(table: dict[str, str]) -> str:
    """Write an inline table; doubled braces are plain ones after `format`."""
    return "inline:{{ " + ", ".join(f"{{{{ {key} = {value} }}}}" for key, value in table.items()) + " }}"


_rewritten = st.dictionaries(
    st.sampled_from(["@d1.test", "u@d1.test", "u@own.test", "u", "@other.test", "r@x.test", "@d3.test"]),
    st.sampled_from(["@d2.test", "SRS0=x=d1.test=u@srs.test", "w@d3.test", "@own.test", "r@y.test"]),
    min_size=1,
    max_size=2,
)
_rewriting: st.SearchStrategy[dict[str, str]] = (
    st.just({})
    | st.just({})
    | st.fixed_dictionaries(
        {},
        optional={
            "sender_canonical_maps": _rewritten.map(_inline),
            "sender_canonical_classes": st.sampled_from(["envelope_sender", "header_sender"]),
            "recipient_canonical_maps": st.just("inline:{{ {{ s@x.test = r@y.test }} }}"),
            "masquerade_domains": st.just("d1.test own.test"),
        },
    )
)


@st.composite
def operators(draw: st.DrawFn, *, is_alone: bool) -> Operator:
    """Return some settings, each of them seldom; more often where nobody else says anything."""
    seldom = st.integers(0, 1 if is_alone else 4).map(lambda number: number == 0)
    settings = {"smtp_tls_security_level": draw(st.sampled_from(LEVELS)), "mydestination": "own.test"}
    settings["parent_domain_matches_subdomains"] = draw(st.sampled_from(["relay_domains", ""]))
    transport = draw(st.dictionaries(_recipients, _transports, max_size=2))
    policy = draw(st.dictionaries(_policies, st.sampled_from(["may", "encrypt", "none"]), max_size=2))
    if transport:
        pattern = draw(st.sampled_from(["", "regexp:{dir}/patterns, "]))
        settings["transport_maps"] = f"{pattern}texthash:{{dir}}/transport"
    if policy:
        settings["smtp_tls_policy_maps"] = "texthash:{dir}/policy"
    if draw(seldom):
        settings["relayhost"] = draw(_nexthops)
    if draw(seldom):
        settings["default_transport"] = draw(_transports.filter(lambda value: not value.startswith(":")))
    if draw(seldom):
        table = draw(
            st.dictionaries(_senders, _transports.filter(lambda v: not v.startswith(":")), min_size=1, max_size=2)
        )
        settings["sender_dependent_default_transport_maps"] = _inline(table)
    if draw(seldom):
        table = draw(st.dictionaries(_senders, st.one_of(st.just("DUNNO"), _nexthops), min_size=1, max_size=2))
        settings["sender_dependent_relayhost_maps"] = _inline(table)
    if draw(seldom):
        settings |= {
            "relay_domains": draw(st.sampled_from(["x.test", ".test", "!sub.x.test .x.test x.test"])),
            "relay_transport": draw(st.sampled_from(["relay", "relay:{b}", "own-a"])),
        }
    if draw(seldom):
        settings |= {"smtp_sasl_auth_enable": "yes", "smtp_sasl_password_maps": "static:everywhere:pw"}
        settings["smtp_sasl_security_options"] = "noanonymous"
    if draw(seldom):
        settings["smtp_fallback_relay"] = "{d}"
    settings |= draw(_rewriting)
    return Operator(settings, transport, policy)


def services(relays: dict[str, Relay]) -> str:
    """Return services of master.cf that an operator may have made."""
    at_i = f"inline:{{ {relays['i'].nexthop}=own-i:pw }}"
    login = "-o smtp_sasl_auth_enable=yes -o smtp_sasl_security_options=noanonymous"
    return (
        f"own-a unix - - y - - smtp -o smtp_sasl_password_maps=static:own:pw {login}\n"
        "own-i unix - - y - - smtp -o smtp_tls_wrappermode=yes -o smtp_tls_security_level=encrypt\n"
        f"  -o smtp_tls_policy_maps= -o {{ smtp_sasl_password_maps = {at_i} }} {login}\n"
        "own-off unix - - y - - smtp -o smtp_sasl_auth_enable=no -o smtp_tls_security_level=none\n"
    )
