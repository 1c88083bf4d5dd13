"""Rules of what main.cf does to senders and domains before routes are looked up, and of what wrong inputs leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.given import (
    ACCOUNTS,
    DEFAULT,
    HOST,
    LOGIN,
    LOGINS,
    RELAYMAP,
    SECRET,
    TRANSPORTS,
    YAML,
    Case,
    given,
    write,
)
from tests.checks.given import findings as found
from tests.checks.way_cases import postfix
from tests.support.machine import MASTER_CF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dms_relay.checks.rules import Finding
    from tests.checks.given import Run
    from tests.support.sandbox import Sandbox

A = {RELAYMAP: "@a.test [r.test]:587\n"}
SRS = "sender_canonical_maps = inline:{ someone@a.test=SRS0=x=a.test=someone@srs.test }\n"
YAML_A = "version: 1\nrelays: {r: {host: r.test}}\nsenders: {a.test: r}\n"
DIRECT = "version: 1\nrelays: {r: {host: r.test}}\ndefault: r\nsenders: {boss@a.test: direct}\n"
LDAP = "virtual_mailbox_domains = /etc/postfix/vhost, ldap:/etc/postfix/ldap-domains.cf\n"
HOSTED = {**HOST, **LOGIN}
SERVED = {"vhost": "a.test\n"}
WRONG = "@x.test [r.test:587\n"


def after(files: Mapping[str, str], env: Mapping[str, str], now: Mapping[str, str]) -> Run:
    """Return what is found where some inputs were applied, and others come after."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
        write(sandbox, files)
        sandbox.apply(**env)
        write(sandbox, now)
        return found(sandbox, env)

    return run


def own(more: str, files: Mapping[str, str], *envs: Mapping[str, str]) -> Run:
    """Return what is found where ``vhost`` in main.cf is that of the sandbox."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        return postfix(files, *envs, more=more.replace("/etc/postfix/vhost", f"{sandbox.postfix_dir}/vhost"))(sandbox)

    return run


YAML_NEW = YAML_A.replace("a.test: r}", "a.test: r, new.test: r, out.test: direct}")
REWRITTEN, TABLES, NEW = "sender-rewritten", "table-domains-not-relayed", "new-sender-not-relayed"
CASES = (
    Case(
        NEW,
        after(SERVED, HOSTED, {"vhost": "a.test\nnew.test\n", RELAYMAP: WRONG}),
        "vhost:2",
        "until the inputs are fixed, no relay is set for @new.test: that mail goes directly",
        after(SERVED, HOSTED, {RELAYMAP: WRONG}),
    ),
    # Each by its name, so that everybody knows whose mail it is; many are counted.
    Case(
        NEW,
        after(SERVED, HOSTED, {"vhost": "a.test\n" + "".join(f"n{n}.test\n" for n in range(23)), RELAYMAP: WRONG}),
        "vhost:2",
        f"no relay is set for {', '.join(f'@n{n}.test' for n in range(20))} and 3 more: that mail goes directly",
        after(SERVED, HOSTED, {RELAYMAP: WRONG}),
    ),
    Case(
        NEW,
        after(A, LOGIN, {RELAYMAP: f"{A[RELAYMAP]}@new.test [r.test]:587\n{WRONG}"}),
        f"{RELAYMAP}:2",
        "no relay is set for @new.test:",
        # Who has no route goes to the default relay.
        after(A, {**DEFAULT, **LOGIN}, {RELAYMAP: f"{A[RELAYMAP]}@new.test [r.test]:587\n{WRONG}"}),
    ),
    Case(
        NEW,
        after(SERVED, {**HOSTED, **TRANSPORTS}, {"vhost": "a.test\nnew.test\n", LOGINS: f"@b.test {SECRET}\n"}),
        "vhost:2",
        "no relay is set for @new.test:",
        # Opted out, in what can be read of a file that is wrong.
        after(SERVED, HOSTED, {"vhost": "a.test\nnew.test\n", RELAYMAP: f"@new.test\n{WRONG}"}),
    ),
    Case(
        NEW,
        after({ACCOUNTS: "u@a.test|x\n"}, HOSTED, {ACCOUNTS: "u@a.test|x\nu@new.test|x\n", RELAYMAP: WRONG}),
        f"{ACCOUNTS}:2",
        "no relay is set for @new.test:",
        # Nothing is in force yet.
        given({ACCOUNTS: "u@a.test|x\n", RELAYMAP: WRONG}, HOSTED),
    ),
    Case(
        NEW,
        after({YAML: YAML_A}, {}, {YAML: YAML_NEW, LOGINS: f"@b.test {SECRET}\n"}),
        f"{YAML}:3:22",
        "no relay is set for @new.test:",
        after({YAML: YAML_A}, {}, {YAML: YAML_NEW}),
    ),
    Case(
        TABLES,
        own(LDAP, SERVED, HOSTED),
        "env RELAY_HOST",
        "RELAY_HOST does not serve domains of ldap:/etc/postfix/ldap-domains.cf (virtual_mailbox_domains)",
        own(LDAP, SERVED, HOSTED, DEFAULT),
    ),
    Case(
        TABLES,
        own("mydestination = localhost, hash:/etc/domains\n", SERVED, HOSTED, TRANSPORTS),
        "env RELAY_HOST",
        "domains of hash:/etc/domains (mydestination)",
        own("virtual_mailbox_domains = /etc/postfix/vhost\nvirtual_alias_maps = hash:/etc/virtual\n", SERVED, HOSTED),
    ),
    Case(
        REWRITTEN,
        postfix(A, LOGIN, more=SRS),
        "main.cf",
        "sender_canonical_maps turns someone@a.test into SRS0=x=a.test=someone@srs.test first",
        postfix(A, DEFAULT, LOGIN, more=f"{SRS}sender_canonical_classes = header_sender\n"),
    ),
    Case(
        REWRITTEN,
        postfix({YAML: DIRECT}, more="canonical_maps = inline:{ boss@a.test=chief@b.test }\n"),
        "main.cf",
        "canonical_maps turns boss@a.test into chief@b.test first, so relay and login of boss@a.test are not used",
        postfix({YAML: DIRECT}, more="canonical_maps = inline:{ someone@a.test=anybody@b.test }\n"),
    ),
    Case(
        REWRITTEN,
        own("canonical_maps = texthash:/etc/postfix/vhost\n", {**A, "vhost": "anna@a.test x@b.test\n"}, LOGIN),
        "main.cf",
        "canonical_maps turns anna@a.test into x@b.test first, so relay and login of anna@a.test are not used",
        own("canonical_maps = texthash:/etc/postfix/vhost\n", {**A, "vhost": "anna@a.test x@a.test\n"}, LOGIN),
    ),
    Case(
        REWRITTEN,
        postfix({LOGINS: f"@sub.a.test u:{SECRET}\n"}, DEFAULT, more="masquerade_domains = a.test\n"),
        "main.cf",
        "masquerade_domains turns someone@sub.a.test into someone@a.test first",
        # The remedy: the address that comes of it has the same relay and login.
        postfix({RELAYMAP: "@a.test [r.test]\n@sub.a.test [r.test]\n"}, more="masquerade_domains = a.test\n"),
    ),
    Case(
        REWRITTEN,
        postfix({YAML: YAML_A}, more="sender_canonical_maps = texthash:/no/such\n"),
        "main.cf",
        "senders may be rewritten before their relay and login are looked up: sender_canonical_maps: texthash:/no/such",
        postfix({}, DEFAULT, LOGIN, more="sender_canonical_maps = texthash:/no/such\n"),
    ),
)
