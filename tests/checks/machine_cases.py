"""Rules of the machine: what Postfix has beside what the inputs say, and what it can do."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dms_relay.checks.context import examine
from dms_relay.checks.machine import SASL_DIRECTORIES, check_machine
from dms_relay.model import Paths
from dms_relay.postfix.table_types import INDEXED_FROM
from tests.checks.given import (
    DEFAULT,
    HOST,
    LOGIN,
    LOGINS,
    MAIN,
    RELAYMAP,
    SECRET,
    TRANSPORTS,
    YAML,
    Case,
    findings,
    given,
    write,
)
from tests.support.machine import MASTER_CF
from tests.support.sandbox import BASE_MAIN_CF
from tests.support.scene import running_manager
from tests.support.table_types import offer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dms_relay.checks.context import CheckContext
    from dms_relay.checks.rules import Finding
    from tests.checks.given import Run
    from tests.support.sandbox import Sandbox

FULL = {**DEFAULT, **LOGIN}
#: Seconds between a change and a start that can be told apart (``plan/unread.py``).
READ_INTERVAL = 0.05
LIST = {"DEFAULT_RELAY_HOST": "[r.test], [s.test]"}
A_OPTED_OUT = {RELAYMAP: "@a.test\n", "vhost": "a.test\nb.test\n"}


def applied(change: Callable[[Sandbox], object], after: Mapping[str, str] = FULL) -> Run:
    """Return what is found where somebody changes something after an ``apply``."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        sandbox.apply(**FULL)
        change(sandbox)
        return findings(sandbox, after)

    return run


def while_running(change: Callable[[Sandbox], object]) -> Run:
    """Return what is found where somebody changes something while a Postfix runs that was started after an ``apply``."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        queue = sandbox.postfix_dir / "queue"
        queue.mkdir()
        sandbox.write_main_cf(f"{BASE_MAIN_CF}queue_directory = {queue}\n")
        sandbox.apply(**FULL)
        time.sleep(READ_INTERVAL)
        with running_manager(queue, sandbox.postfix_dir):
            time.sleep(READ_INTERVAL)
            change(sandbox)
            return findings(sandbox, FULL)

    return run


def touched(sandbox: Sandbox) -> None:
    """Put main.cf in its own place, as an editor does."""
    sandbox.write_main_cf(sandbox.main_cf.read_text())


def with_types(env: Mapping[str, str], logins: int, *types: str) -> Run:
    """Return what is found where there are so many logins, and Postfix has these indexed types of tables."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        offer(sandbox, sandbox.postfix_dir / "meta", *types)
        write(sandbox, {LOGINS: "".join(f"@d{n}.test u:{SECRET}\n" for n in range(logins))})
        return findings(sandbox, {**DEFAULT, **env})

    return run


def edited(old: str, new: str) -> Callable[[Sandbox], object]:
    """Return a change of main.cf by hand."""

    def change(sandbox: Sandbox) -> None:
        text = sandbox.main_cf.read_text()
        assert old in text
        sandbox.write_main_cf(text.replace(old, new))

    return change


def nothing(_box: Sandbox) -> None:
    """Change nothing."""


def main_cf(text: str, files: Mapping[str, str], *envs: Mapping[str, str], old: str = "relayhost =\n") -> Run:
    """Return what is found where main.cf had ``text`` in place of something before us."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        sandbox.write_main_cf(BASE_MAIN_CF.replace(old, text))
        return given(files, *envs)(sandbox)

    return run


def master_cf(text: str) -> Run:
    """Return what is found where master.cf has a service more."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF + text)
        return findings(sandbox, {**FULL, **TRANSPORTS})

    return run


def on(files: Mapping[str, str], *envs: Mapping[str, str], sasl: Iterable[str] = SASL_DIRECTORIES, **asked: str) -> Run:
    """Return what is found on a machine whose Postfix says something else than this one's."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
        write(sandbox, files)
        env = {name: value for one in envs for name, value in one.items()}
        context = examine(Paths(sandbox.config_dir, sandbox.postfix_dir), env).context
        assert context
        return list(check_machine(_saying(context, asked), sasl))

    return run


def _saying(context: CheckContext, asked: Mapping[str, str]) -> CheckContext:
    assert context.machine
    return replace(context, machine=replace(context.machine, asked={**context.machine.asked, **asked}))


def mechanisms(*names: str, env: Mapping[str, str] = FULL, sasl_type: str = "cyrus") -> Run:
    """Return what is found where Cyrus SASL's directory holds these files."""

    def run(sandbox: Sandbox) -> Iterable[Finding]:
        directory = sandbox.config_dir.with_name("lib") / "arch/sasl2"
        directory.mkdir(parents=True)
        for name in names:
            (directory / name).touch()
        return on({}, env, sasl=[str(directory.parents[1] / "*/sasl2")], smtp_sasl_type=sasl_type)(sandbox)

    return run


def no_main_cf(sandbox: Sandbox) -> Iterable[Finding]:
    """Return what is found where no Postfix is installed."""
    sandbox.main_cf.unlink()
    return findings(sandbox, FULL)


def damaged_memory(sandbox: Sandbox) -> Iterable[Finding]:
    """Return what is found where our memory is no JSON."""
    (sandbox.postfix_dir / "dms-relay.state.json").write_text("{")
    return findings(sandbox, FULL)


def _to_0644(sandbox: Sandbox) -> None:
    (sandbox.postfix_dir / "sasl_passwd").chmod(0o644)


def _written_anew(sandbox: Sandbox) -> None:
    (sandbox.postfix_dir / "sasl_passwd").write_text("[r.test]:587\tother:login\n")
    _to_0644(sandbox)


def _by_hand(sandbox: Sandbox) -> None:
    (sandbox.postfix_dir / "sasl_passwd").write_text("x y:z\n")


CASES = (
    Case(
        "machine-not-looked-at", no_main_cf, "HERE/postfix/main.cf", "Postfix itself was not examined", given({}, FULL)
    ),
    Case("machine-unreadable", damaged_memory, "HERE/postfix", "is damaged", given({}, FULL)),
    Case("apply-due", given({}, FULL), "main.cf", "sasl_passwd, relayhost_map, relayhost,", applied(nothing)),
    Case("apply-due", applied(nothing, {}), "main.cf", "relayhost", given({}, LOGIN)),
    Case("apply-due", applied(_by_hand), "main.cf", "sasl_passwd would change", applied(_to_0644)),
    Case("reload-due", while_running(touched), "main.cf", "has not read main.cf", while_running(nothing)),
    Case(
        "parameter-changed",
        applied(edited("[r.test]:587", "[own.test]")),
        "main.cf",
        "relayhost was changed since the last apply: it is [own.test], and apply had set it to [r.test]:587",
        applied(nothing),
    ),
    Case(
        "parameter-changed",
        applied(edited("smtp_sasl_auth_enable = yes\n", "")),
        "main.cf",
        "smtp_sasl_auth_enable was changed since the last apply: it is not set, and apply had set it to yes",
        # The inputs say something else now: that is no hand of others.
        applied(nothing, {**FULL, "DEFAULT_RELAY_HOST": "[s.test]:587"}),
    ),
    Case(
        "parameter-left",
        applied(edited("[r.test]:587", "[own.test]"), {}),
        "main.cf",
        "relayhost was changed since the last apply",
        applied(nothing, {}),
    ),
    Case("table-changed", applied(_to_0644), "sasl_passwd", "it has mode 0644", applied(nothing)),
    Case("table-changed", applied(_written_anew), "sasl_passwd", "it has mode 0644", applied(nothing)),
    Case("apply-due", applied(_written_anew), "main.cf", "sasl_passwd would change", applied(_to_0644)),
    Case(
        "routes-not-used",
        main_cf("default_transport = smtp:[own.test]\n", {}, FULL),
        "main.cf",
        "relayhost and relays by sender have no effect",
        main_cf("default_transport = smtp\n", {}, FULL),
    ),
    Case(
        "routes-not-used",
        main_cf("transport_maps = inline:{x.test=smtp:[x.test], *=smtp:[own.test]}\n", {}, FULL),
        "main.cf",
        "transport_maps sends all mail to smtp:[own.test]",
        # These are for some recipients, or name no nexthop, as relayhost then does.
        main_cf("transport_maps = inline:{x.test=smtp:[x.test], *=smtp:}\n", {}, FULL),
    ),
    Case(
        "routes-not-used",
        main_cf(
            "sender_dependent_default_transport_maps = pcre:/nowhere, inline:{ @a.test=smtp:[own.test] }\n",
            {RELAYMAP: "me@A.test [r.test]\n@b.test [r.test]\n"},
        ),
        f"{RELAYMAP}:1",
        "sends mail of me@A.test to smtp:[own.test], so its relay [r.test] has no effect",
        main_cf(
            "sender_dependent_default_transport_maps = inline:{ @a.test=smtp:[own.test] }\n",
            {YAML: "version: 1\nrelays: {r: {host: r.test}}\nsenders: {me@a.test: r}\n"},
        ),
    ),
    Case(
        "foreign-relayhost",
        main_cf("relayhost = [own.test]\n", {"vhost": "a.test\n"}, HOST, LOGIN),
        "main.cf",
        "relayhost = [own.test], which no input sets",
        main_cf("relayhost = [own.test]\n", {}, FULL),
    ),
    Case(
        "opt-out-without-effect",
        main_cf("relayhost = [own.test]\n", A_OPTED_OUT, HOST, LOGIN),
        f"{RELAYMAP}:1",
        "its mail goes to relayhost = [own.test] of main.cf",
        main_cf("relayhost =\n", A_OPTED_OUT, HOST, LOGIN),
    ),
    Case(
        "opt-out-needs-tls",
        main_cf(
            "smtp_tls_security_level = encrypt\n",
            {YAML: "version: 1\nrelays: {r: {host: r.test}}\nsenders: {a.test: direct}\ndefault: r\n"},
            old="smtp_tls_security_level = may\n",
        ),
        f"{YAML}:3:11",
        "mail of @a.test goes directly",
        given({YAML: "version: 1\nrelays: {r: {host: r.test}}\nsenders: {a.test: direct}\ndefault: r\n"}),
    ),
    Case(
        "implicit-tls-port",
        main_cf("smtp_tls_wrappermode = no\n", {}, {"DEFAULT_RELAY_HOST": "[r.test]:465"}, LOGIN),
        "env DEFAULT_RELAY_HOST",
        "needs implicit TLS",
        # Somebody told all of Postfix to speak so.
        main_cf("smtp_tls_wrappermode = yes\n", {}, {"DEFAULT_RELAY_HOST": "[r.test]:465"}, LOGIN),
    ),
    Case(
        "service-name-taken",
        master_cf("relay-r-test-587 unix - - n - - smtp\n"),
        "master.cf:8",
        "master.cf has a service relay-r-test-587 that dms-relay does not manage",
        master_cf("relay-own unix - - n - - smtp\n"),
    ),
    Case(
        "postfix-too-old",
        on({}, LIST, LOGIN, mail_version="3.4.23"),
        "env DEFAULT_RELAY_HOST",
        "Postfix 3.4.23 is too old for several nexthops in one route",
        on({}, LIST, LOGIN, mail_version="3.5-20200101"),
    ),
    Case(
        "postfix-too-old",
        on({}, FULL, TRANSPORTS, mail_version="2.11.3"),
        "main.cf",
        "Postfix 2.11.3 is too old for a transport for each relay",
        on({}, FULL, TRANSPORTS, mail_version="3.4.23"),
    ),
    Case(
        "postfix-too-old",
        on({RELAYMAP: "@a.test [r.test], [s.test]\n"}, mail_version="3.4.23"),
        f"{RELAYMAP}:1",
        "several nexthops",
        on({RELAYMAP: "@a.test [r.test]\n@b.test [s.test]\n"}, mail_version="3.4.23"),
    ),
    Case(
        "sasl-mechanisms-missing",
        mechanisms("libsasldb.so"),
        "env RELAY_USER, env RELAY_PASSWORD",
        "has neither PLAIN nor LOGIN",
        mechanisms("libsasldb.so", "liblogin.so.2"),
    ),
    Case(
        "sasl-mechanisms-missing",
        mechanisms(),
        "env RELAY_USER, env RELAY_PASSWORD",
        "has neither PLAIN nor LOGIN",
        # Nobody logs in.
        mechanisms(env=DEFAULT),
    ),
    Case(
        "sasl-mechanisms-missing",
        mechanisms("libplain.txt"),
        "env RELAY_USER, env RELAY_PASSWORD",
        "arch/sasl2",
        mechanisms(sasl_type="dovecot"),
    ),
    Case(
        "table-type-missing",
        with_types({"RELAY_TABLES": "cdb"}, 2, "lmdb"),
        "env RELAY_TABLES",
        "no tables of type cdb",
        with_types({"RELAY_TABLES": "cdb"}, 2, "cdb"),
    ),
    Case(
        "big-table-not-indexed",
        with_types({}, INDEXED_FROM),
        "sasl_passwd",
        "this Postfix has no indexed tables",
        with_types({}, INDEXED_FROM - 1),
    ),
    Case(
        "big-table-not-indexed",
        with_types({}, INDEXED_FROM),
        "sasl_passwd",
        "10000 keys",
        with_types({}, INDEXED_FROM, "lmdb"),
    ),
    Case(
        "no-authorities",
        on({MAIN: "smtp_tls_security_level = secure\n"}, FULL, smtp_tls_CApath=""),
        "main.cf",
        "neither smtp_tls_CAfile nor smtp_tls_CApath is set",
        on({MAIN: "smtp_tls_security_level = secure\n"}, FULL, smtp_tls_CApath="/etc/ssl/certs"),
    ),
    Case(
        "no-authorities",
        on({MAIN: "smtp_tls_security_level = verify\n"}, FULL, smtp_tls_CApath="", smtp_tls_CAfile="/nowhere"),
        "main.cf",
        "smtp_tls_CAfile = /nowhere does not exist",
        on({MAIN: "smtp_tls_security_level = verify\n"}, FULL, smtp_tls_CApath="", smtp_tls_CAfile=str(Path(__file__))),
    ),
    Case(
        "no-authorities",
        on({MAIN: "smtp_tls_security_level = secure\n"}, FULL, smtp_tls_CApath=""),
        "main.cf",
        "no certificate authority is configured",
        on({LOGINS: f"[r.test]:587 u:{SECRET}\n"}, DEFAULT, smtp_tls_CApath=""),
    ),
)
