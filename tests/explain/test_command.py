"""``dms-relay explain``: what it prints, when it is wrong, and what it never does."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.scene import programs_with
from tests.support.table_types import require_indexes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

SECRET = "s3cret-P4ss"
MASTER_CF = """\
smtp unix - - y - - smtp
relay unix - - y - - smtp
local unix - n n - - local
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
"""
FILES = {
    "postfix-relaymap.cf": "@domain1.com [smtp.mailgun.org]:587\n@domain2.com [a.test]:587, [b.test]:2525\n@domain3.com\n",
    "postfix-sasl-password.cf": f"@domain1.com mailgun-user:{SECRET}\n[b.test]:2525 token:token\n",
    "vhost": "domain1.com\ndomain2.com\ndomain3.com\nexample.com\n",
}
ENV = {"RELAY_HOST": "smtp.relay-service.com", "RELAY_PORT": "587", "RELAY_USER": "user", "RELAY_PASSWORD": SECRET}
MAILGUN = """\
from anna@domain1.com to someone@gmail.com
  goes by smtp to [smtp.mailgun.org]:587
      default_transport                smtp
      sender_dependent_relayhost_maps  @domain1.com -> [smtp.mailgun.org]:587  ({table}, postfix-relaymap.cf:1)
    at [smtp.mailgun.org]:587:
      login  mailgun-user, by sender @domain1.com  ({logins}, postfix-sasl-password.cf:1)
      TLS    encrypt: TLS is required; the certificate is not verified  (smtp_tls_security_level)
"""
DIRECT = """\
from <> to someone@gmail.com
  goes directly, by smtp to the MX hosts of gmail.com
      default_transport                smtp
      sender_dependent_relayhost_maps  no entry
      relayhost                        empty
    at gmail.com:
      login  none
      TLS    encrypt: TLS is required; the certificate is not verified  (smtp_tls_security_level)
  note: smtp_tls_security_level = encrypt is for the relays, but this mail goes directly, and waits if the server has no \
TLS -- set RELAY_ROUTING=transports, which gives each relay its own level
"""


@pytest.fixture
def ready(sandbox: Sandbox) -> Sandbox:
    """Return a machine with services and inputs, to which nothing has been applied."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    for name, text in FILES.items():
        sandbox.write(name, text)
    return sandbox


def explain(sandbox: Sandbox, *words: str, code: int = 0, **env: str) -> str:
    """Run it, and give what it prints."""
    result = sandbox.run("explain", *words, env=ENV | env)
    assert result.code == code, result.err
    assert SECRET not in result.out + result.err
    return result.out


def way(sandbox: Sandbox, *words: str, code: int = 0) -> dict[str, Any]:
    """Return the way of a message as it is now."""
    found: dict[str, Any] = json.loads(explain(sandbox, "--json", *words, code=code))["now"]
    return found


def filled(text: str, sandbox: Sandbox) -> str:
    """Put the names of our tables in."""
    tables = {name: f"texthash:{sandbox.postfix_dir / table}" for name, table in NAMES.items()}
    return text.format(**tables)


NAMES = {"table": "relayhost_map", "logins": "sasl_passwd"}


def test_text(ready: Sandbox) -> None:
    """The way comes first, then each lookup that decided, then login and TLS at each nexthop, all with their places."""
    ready.apply(**ENV)
    before = ready.snapshot()
    assert explain(ready, "anna@domain1.com", "someone@gmail.com") == filled(MAILGUN, ready)
    assert explain(ready, "<>", "someone@gmail.com") == DIRECT
    assert ready.snapshot() == before


def test_apply_is_due(ready: Sandbox) -> None:
    """Where the inputs say something else than Postfix has, both ways are shown; what is not yet there has no place."""
    said = explain(ready, "anna@domain1.com", "someone@gmail.com").splitlines()
    at = said.index("apply is due; after dms-relay apply:")
    assert said[1] == "  goes directly, by smtp to the MX hosts of gmail.com"
    assert said[at + 1 :] == filled(MAILGUN, ready).splitlines()[1:]


@pytest.mark.parametrize("kind", ["cdb", "lmdb"])
def test_indexed_tables(ready: Sandbox, kind: str) -> None:
    """A table with an index is looked up as any other, with the same places: before ``apply`` and after."""
    require_indexes()
    expected = filled(MAILGUN, ready).replace("texthash:", f"{kind}:").splitlines()
    said = explain(ready, "anna@domain1.com", "someone@gmail.com", RELAY_TABLES=kind).splitlines()
    assert said[said.index("apply is due; after dms-relay apply:") + 1 :] == expected[1:]
    ready.apply(**ENV, RELAY_TABLES=kind)
    assert explain(ready, "anna@domain1.com", "someone@gmail.com", RELAY_TABLES=kind).splitlines() == expected


def test_same_way_after_apply(ready: Sandbox) -> None:
    """A change that is not about this message is said in one line."""
    ready.apply(**ENV)
    ready.write("postfix-sasl-password.cf", FILES["postfix-sasl-password.cf"] + "@domain2.com anna:secret\n")
    said = explain(ready, "anna@domain1.com", "someone@gmail.com")
    assert (
        said
        == filled(MAILGUN, ready)
        + "apply is due (see dms-relay plan), but it does not change the route of this message\n"
    )


def test_place_of_an_entry_that_changed(ready: Sandbox) -> None:
    """An entry that the inputs no longer say has no place in them."""
    ready.apply(**ENV)
    ready.write("postfix-relaymap.cf", "# new\n@domain1.com [other.test]:587\n")
    document = json.loads(explain(ready, "--json", "anna@domain1.com"))
    [entry, after] = [document[when]["lookups"][1] for when in ("now", "after_apply")]
    assert (entry["value"], entry["origin"]) == ("[smtp.mailgun.org]:587", None)
    assert (after["value"], after["origin"]) == ("[other.test]:587", "postfix-relaymap.cf:2")


def test_hops(ready: Sandbox) -> None:
    """Each nexthop of a list has its own login; a token that is user name and password is masked."""
    ready.apply(**ENV)
    hops = way(ready, "u@domain2.com")["hops"]
    assert [(hop["host"], hop["port"], hop["login"] and hop["login"]["username"]) for hop in hops] == [
        ("a.test", "587", None),
        ("b.test", "2525", "********"),
    ]
    assert hops[1]["login"]["by"] == "nexthop"
    assert hops[1]["login"]["origin"] == "postfix-sasl-password.cf:2"


def test_relay_yaml(ready: Sandbox) -> None:
    """A relay with a transport of its own: its place, its TLS with what is checked, its login with its line."""
    for name in ("postfix-relaymap.cf", "postfix-sasl-password.cf"):
        (ready.config_dir / name).unlink()
    ready.write(
        "relay.yaml",
        "version: 1\nrelays:\n  ses:\n    host: ses.test\n    port: 465\n"
        f"    login: {{username: key, password: {SECRET}}}\n"
        "default: direct\nsenders:\n  domain1.com: ses\n",
    )
    assert ready.run("apply").code == 0
    result = ready.run("explain", "anna@domain1.com")
    sasl = f"texthash:{ready.postfix_dir}/relay.d"
    assert result.out.splitlines() == [
        "from anna@domain1.com to someone@recipient.invalid",
        "  goes by relay-ses (relay.yaml:3:3) to [ses.test]:465",
        (
            "      sender_dependent_default_transport_maps  @domain1.com -> relay-ses:[ses.test]:465"
            f"  ({sasl}/sender_transport, relay.yaml:9:3)"
        ),
        "    at [ses.test]:465:",
        f"      login  key, by nexthop [ses.test]:465  ({sasl}/ses.sasl, relay.yaml:6:12)",
        (
            "      TLS    secure, implicit TLS: TLS is required, with a certificate for nexthop, dot-nexthop, "
            "from an authority in /etc/ssl/certs/ca-certificates.crt  (smtp_tls_security_level)"
        ),
    ]


WAYS = {
    "error": ("transport_maps = inline:{{gmail.com=error:no mail there}}", "no mail there"),
    "unknown service": ("default_transport = nowhere", "there is no service nowhere in master.cf"),
    "moved": ("relocated_maps = inline:{{someone@gmail.com=b@c.test}}", "5.1.6 User has moved to b@c.test"),
    "alias": ("virtual_alias_domains = gmail.com", "5.1.1 User unknown in virtual alias table"),
    "no table": ("transport_maps = texthash:/no/such", "transport_maps: texthash:/no/such: postmap -q failed"),
    "twice": ("transport_maps = texthash:{dir}/twice", "a lookup key is in the table twice, so Postfix refuses"),
    "no list": ("relay_domains = /no/such/file", "/no/such/file cannot be read: No such file or directory"),
    "deferred": (
        "defer_transports = local, smtp",
        "defer_transports in main.cf names smtp, so Postfix does not use it",
    ),
    "kept": ("transport_maps = static:retry:", "Address is undeliverable"),
    "not returned": ("soft_bounce = yes\ntransport_maps = static:error:no", "no"),
    "no relay": ("sender_dependent_relayhost_maps = inline:{{@domain1.com=}}", "the entry of @domain1.com in inline:"),
    "no logins": (
        "smtp_sasl_auth_enable = yes",
        "smtp_sasl_auth_enable = yes without smtp_sasl_password_maps, so smtp(8) exits at once",
    ),
    "match": (
        "smtp_tls_policy_maps = static:{{encrypt match=x}}",
        'the policy\'s attribute "match" is not for level encrypt',
    ),
    "attribute": ("smtp_tls_policy_maps = static:{{secure foo=bar}}", 'the policy\'s attribute "foo" is unknown'),
    "two": ("smtp_tls_policy_maps = static:{{may ciphers=high ciphers=low}}", '"ciphers" is there twice'),
    "no value": ("smtp_tls_policy_maps = static:{{secure match=}}", '"match" has no value'),
    "fingerprint": ("smtp_tls_policy_maps = static:fingerprint", "level fingerprint without a fingerprint"),
    "weak": ("smtp_tls_wrappermode = yes", "implicit TLS (smtp_tls_wrappermode) needs level encrypt"),
    "no level": ("smtp_tls_policy_maps = static:soon", "smtp_tls_policy_maps has an unknown TLS level"),
    "passwords": (
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = pipemap:{{static:u:" + SECRET + "}}",
        "smtp_sasl_password_maps: pipemap:******** is not searched here, because its name may hold a login",
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_message_that_does_not_leave(ready: Sandbox, name: str) -> None:
    """Whatever keeps a message in the queue, or returns it, is said, with exit code 1."""
    setting, failure = WAYS[name]
    ready.write("postfix-relaymap.cf", "")
    ready.write("postfix-sasl-password.cf", "")
    (ready.postfix_dir / "twice").write_text("x.test smtp:\nX.test smtp:\n")
    os.utime(ready.postfix_dir / "twice", (1, 1))
    ready.write_main_cf(ready.main_cf.read_text() + setting.format(dir=ready.postfix_dir) + "\n")
    result = ready.run("explain", "anna@domain1.com", "someone@gmail.com")
    assert failure in result.out
    assert result.out.splitlines()[1].startswith(("  stays in the queue: ", "  returned to its sender: "))
    assert (result.code, SECRET in result.out + result.err) == (1, False)


def test_local(ready: Sandbox) -> None:
    """Mail for this machine is delivered here, whoever sends it."""
    said = explain(ready, "anna@domain1.com", "root@localhost")
    assert said.splitlines()[1] == "  delivered by local(8), service local"


def test_mail_that_is_thrown_away(ready: Sandbox) -> None:
    """discard(8) delivers nothing, and that is said; it is what was asked for, so the exit code is 0."""
    ready.write_main_cf(ready.main_cf.read_text() + "transport_maps = static:discard:spam\n")
    with (ready.postfix_dir / "master.cf").open("a") as file:
        file.write("discard unix - - n - - discard\n")
    said = explain(ready, "anna@domain1.com", "someone@gmail.com")
    assert said.splitlines()[1] == "  discarded by discard(8), service discard"


def test_notes(ready: Sandbox) -> None:
    """A content filter, and what rewrites addresses, are named: the envelope is the one after them."""
    ready.write_main_cf(
        ready.main_cf.read_text()
        + "content_filter = scan:[127.0.0.1]:10024\nsmtpd_milters = inet:localhost:8891\nvirtual_alias_maps =\n"
    )
    with (ready.postfix_dir / "master.cf").open("a") as file:
        file.write(
            "10025 inet n - n - - smtpd\n -o content_filter=\nsubmission inet n - n - - smtpd\n -o content_filter=x:\n"
        )
    said = explain(ready, "anna@domain1.com")
    notes = [line.partition("note: ")[2] for line in said.splitlines() if "note: " in line]
    assert notes == [
        (
            "content_filter = scan:[127.0.0.1]:10024 (main.cf): that mail goes to the filter first; "
            "this is its route after the filter"
        ),
        "content_filter = x: (submission/inet): that mail goes to the filter first; this is its route after the filter",
        "smtpd_milters can rewrite addresses: use the addresses that the queue shows (postqueue -p)",
    ]


SRS = "inline:{ anna@domain1.com=SRS0=x=domain1.com=anna@srs.test }"


def test_a_rewritten_sender(ready: Sandbox) -> None:
    """The route is that of the sender as cleanup(8) leaves it; the entry that changes it comes first."""
    ready.apply(**ENV)
    ready.write_main_cf(f"{ready.main_cf.read_text()}sender_canonical_maps = {SRS}\n")
    said = explain(ready, "anna@domain1.com", "someone@gmail.com")
    assert said.splitlines()[1:3] == [
        "  goes directly, by smtp to the MX hosts of gmail.com",
        f"      sender_canonical_maps            anna@domain1.com -> SRS0=x=domain1.com=anna@srs.test  ({SRS})",
    ]
    assert "THIS MAY NOT" not in said
    [step, *_] = way(ready, "anna@domain1.com", "someone@gmail.com")["lookups"]
    assert (step["parameter"], step["value"]) == ("sender_canonical_maps", "SRS0=x=domain1.com=anna@srs.test")


def test_another_cleanup_service(ready: Sandbox) -> None:
    """What a service rewrites that main.cf does not name is said, and not followed; its own is followed."""
    ready.apply(**ENV)
    with (ready.postfix_dir / "master.cf").open("a") as file:
        file.write(
            "cleanup unix n - n - 0 cleanup\n -o sender_canonical_maps=static:one@srs.test\n"
            "other unix n - n - 0 cleanup\n -o sender_canonical_maps=static:two@srs.test\n"
        )
    said = explain(ready, "anna@domain1.com", "someone@gmail.com")
    assert "anna@domain1.com -> one@srs.test" in said
    assert "note: sender_canonical_maps = static:two@srs.test (other/unix) is not followed here\n" in said
    assert "static:one@srs.test (cleanup" not in said


def test_a_sender_that_is_rewritten_nobody_knows_how(ready: Sandbox) -> None:
    """Where the table gives no answer, the route of the sender as it is given is shown, and that it may be another."""
    ready.apply(**ENV)
    ready.write_main_cf(f"{ready.main_cf.read_text()}sender_canonical_maps = texthash:/no/such\n")
    said = explain(ready, "anna@domain1.com", "someone@gmail.com").splitlines()
    assert said[1] == "  goes by smtp to [smtp.mailgun.org]:587"
    [note] = [line for line in said if "note: " in line and "MAY NOT" in line]
    assert note.startswith(
        "  note: THIS MAY NOT BE THE ROUTE: how the sender is rewritten before it is not known, since "
        "sender_canonical_maps: texthash:/no/such: postmap -q failed"
    )


REMARKS = {
    "level may": (
        "smtp_sasl_security_options = noanonymous\n",
        "level may does not protect the password: it can be sent in the clear",
    ),
    "noplaintext": (
        "smtp_sasl_security_options = noplaintext\n",
        "noplaintext excludes the mechanisms PLAIN and LOGIN",
    ),
    "no authority": (
        "smtp_tls_CApath =\nsmtp_tls_security_level = secure\n",
        "no certificate authority is configured (smtp_tls_CAfile)",
    ),
    "dane": ("smtp_tls_security_level = dane\n", "level dane needs smtp_dns_support_level = dnssec"),
    "per site": (
        "smtp_tls_per_site = static:NONE\n",
        "smtp_tls_per_site is set, which can change the level and is not examined here",
    ),
    "exchangers": ("relayhost = relay.test:587\n", "a login keyed by one of its MX hosts"),
}


@pytest.mark.parametrize("name", REMARKS)
def test_remarks(ready: Sandbox, name: str) -> None:
    """What makes a login or TLS other than it seems is said at the nexthop. A login in main.cf is no argument of postmap."""
    setting, remark = REMARKS[name]
    own = f"relayhost = [r.test]\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:own:{SECRET}\n"
    if name == "exchangers":
        own = own.replace("static:own:", "inline:{{x=own:").replace(SECRET, SECRET + "}}")
    ready.write_main_cf(ready.main_cf.read_text() + own + setting)
    ready.write("postfix-relaymap.cf", "")
    ready.write("postfix-sasl-password.cf", "")
    result = ready.run("explain", "anna@other.test")
    assert [line for line in result.out.splitlines() if f"note   {remark}" in line], result.out
    assert SECRET not in result.out + result.err


def test_no_login_is_an_argument(ready: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """No password stands in the arguments of a program, which every process can read."""
    started: list[str] = []

    def spied(path: str, command: list[str], *others: Any, **options: Any) -> int:  # noqa: ANN401 -- passed on
        started.extend(command)
        return original(path, command, *others, **options)

    original = os.posix_spawn
    monkeypatch.setattr(os, "posix_spawn", spied)
    ready.write_main_cf(
        ready.main_cf.read_text() + f"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:own:{SECRET}\n"
    )
    [hop] = way(ready, "anna@domain1.com")["hops"]
    assert hop["login"]["username"] == "own"
    assert hop["login"]["table"] == "static:********"
    assert started
    assert SECRET not in " ".join(started)


@pytest.mark.parametrize("address", ["", "anna", "@domain1.com", "anna@", "a b@c.test", "a\n@c.test", "a@b@-"])
def test_not_an_address(ready: Sandbox, address: str) -> None:
    """What is no address is refused with exit code 2 and what to write; nothing is explained."""
    result = ready.run("explain", address)
    assert (result.code, result.out) == (2, "")
    assert "SENDER: it is not an address -- write user@example.com, or <> for the null sender" in result.err
    result = ready.run("explain", "<anna@domain1.com>", address)
    assert (result.code, result.out) == (2, "")
    assert "RECIPIENT: it is not an address -- write user@example.com\n" in result.err


def test_wrong_inputs(ready: Sandbox) -> None:
    """Wrong inputs do not hide what Postfix does now: that is said, then what is wrong, with its exit code."""
    ready.apply(**ENV)
    ready.write("postfix-relaymap.cf", "@domain1.com [smtp.mailgun.org:587\n")
    result = ready.run("explain", "anna@domain1.com", env=ENV)
    assert result.code == os.EX_CONFIG
    assert "goes by smtp to [smtp.mailgun.org]:587" in result.out
    assert "has no closing bracket" in result.err
    assert json.loads(ready.run("explain", "--json", "anna@domain1.com", env=ENV).out)["apply_is_due"] is None


def test_no_postfix(ready: Sandbox) -> None:
    """Without master.cf, or without postconf, nothing can be explained: exit code 69."""
    (ready.postfix_dir / "master.cf").unlink()
    result = ready.run("explain", "anna@domain1.com")
    assert (result.code, result.out) == (os.EX_UNAVAILABLE, "")


def test_table_that_we_may_not_read(ready: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That we may not read a table does not keep Postfix from it: that is no answer, but exit code 69 and what to do."""
    ready.apply(**ENV)
    said = "postmap: fatal: open /etc/postfix/relayhost_map: Permission denied"
    programs = programs_with(tmp_path, postmap=f"echo '{said}' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    result = ready.run("explain", "anna@domain1.com", env=ENV)
    assert (result.code, result.out) == (os.EX_UNAVAILABLE, "")
    assert "relayhost_map cannot be read: Permission denied -- run as root" in result.err


def test_socket_of_this_machine(ready: Sandbox) -> None:
    """Mail for mailboxes that goes to a socket is said to go there."""
    ready.write_main_cf(
        ready.main_cf.read_text()
        + "virtual_mailbox_domains = mine.test\nvirtual_transport = lmtp:unix:/run/dovecot/lmtp\n"
    )
    document = way(ready, "anna@domain1.com", "bob@mine.test")
    assert (document["transport"], document["nexthop"]) == ("lmtp", "unix:/run/dovecot/lmtp")
    [hop] = document["hops"]
    assert (hop["host"], hop["port"], hop["login"]) == ("/run/dovecot/lmtp", "", None)


LISTS = {
    "by name": ("sub.x.test", True),
    "parents": ("x.test", True),
    "of a table": ("inline:{x.test=1}", True),
    "whole names of a pattern": ("regexp:{dir}/patterns", False),
    "not": ("!sub.x.test, x.test", False),
    "other": ("y.test", False),
    "comment in a file": ("{dir}/list", False),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("parents", ["relay_domains", ""])
def test_lists_of_domains(ready: Sandbox, name: str, parents: str) -> None:
    """relay_domains matches subdomains, with a dot before the domain where it does not do so by itself (postconf(5))."""
    text, is_member = LISTS[name]
    for file, content in {"patterns": "/^x\\.test$/ 1\n", "list": "y.test # x.test\n  # x.test\n"}.items():
        (ready.postfix_dir / file).write_text(content)
        os.utime(ready.postfix_dir / file, (1, 1))
    if not parents and name in {"parents", "of a table", "not"}:
        text = text.replace("x.test", ".x.test").replace("sub..x.test", "sub.x.test")
    ready.write_main_cf(
        ready.main_cf.read_text()
        + f"relay_domains = {text.replace('{dir}', str(ready.postfix_dir))}\n"
        + f"parent_domain_matches_subdomains = {parents}\n"
    )
    assert (way(ready, "a@domain1.com", "b@sub.x.test")["transport"] == "relay") is is_member


def test_quoted_address(ready: Sandbox) -> None:
    """Inside Postfix a user has no quotes: keys of tables have none either."""
    ready.write_main_cf(ready.main_cf.read_text() + "transport_maps = inline:{bob@gmail.com=relay:[b.test]}\n")
    assert way(ready, "a@domain1.com", '"bob"@gmail.com')["transport"] == "relay"
