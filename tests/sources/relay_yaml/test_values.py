"""What may stand in ``relay.yaml``, and the values that ``read`` makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay import Origin, Paths, read
from dms_relay.model import Login, NexthopList
from dms_relay.model.relays import PasswordPlace, Recipient, Relay, RelayFile, Sender, Tls

if TYPE_CHECKING:
    from dms_relay import Inputs
    from tests.support.sandbox import Sandbox

NAME = "relay.yaml"
PEM = "-----BEGIN CERTIFICATE-----\n"
SHA256 = ":".join(f"{n:02X}" for n in range(160, 192))


def read_inputs(sandbox: Sandbox, text: str | bytes, **env: str) -> Inputs:
    """Read the file, which must be right."""
    sandbox.write(NAME, text)
    inputs = read(Paths(sandbox.config_dir, sandbox.postfix_dir), env)
    assert [str(problem) for problem in inputs.problems if problem.is_error] == []
    return inputs


def read_file(sandbox: Sandbox, text: str | bytes, **env: str) -> RelayFile:
    """Return what the file says."""
    file = read_inputs(sandbox, text, **env).file
    assert file is not None
    return file


def read_relay(sandbox: Sandbox, value: str, **env: str) -> Relay:
    """Return the only relay of a file."""
    (relay,) = read_file(sandbox, f"version: 1\nrelays:\n  r: {value}\n", **env).relays
    return relay


def at(line: int, column: int) -> Origin:
    """Return a place in the file."""
    return Origin(NAME, line, column)


def one(*members: str) -> NexthopList:
    """Return nexthops, tried in their order."""
    return NexthopList(", ".join(members), members)


def test_every_key(sandbox: Sandbox) -> None:
    """Each value becomes what it says, with the place where it stands."""
    ca_file, password = sandbox.write("ca.pem", PEM), sandbox.write("password", "from file: #x\n")
    file = read_file(
        sandbox,
        f"""\
version: 1
relays:
  first:
    host: a.test
    port: 2525
    mx: true
    login: {{username: u, password_file: {password}}}
    tls:
      level: verify
      mode: implicit
      ca_file: {ca_file}
      match: [b.test, .c.test, hostname]
      allow_cleartext_login: false
  second:
    hosts: [c.test, "d.test:25"]
    login: {{username: v, password_env: SECRET}}
    tls: {{level: fingerprint, mode: starttls, fingerprints: ["{SHA256}"]}}
  third:
    host: e.test
    login: {{username: w, password: "in line # and all"}}
    tls: {{level: may, allow_cleartext_login: true}}
default: second
senders:
  a.test: first
  b@b.test: direct
  c.test: {{relay: third, login: {{username: x, password: y}}}}
  d.test: {{relay: first}}
  "<>": second
recipients:
  a.test: first
  .b.test: second
  c@c.test: direct
""",
        SECRET="from env",
    )
    assert file == RelayFile(
        relays=(
            Relay(
                "first",
                one("a.test:2525"),
                Tls("verify", True, str(ca_file), ("b.test", ".c.test", "hostname")),
                at(3, 3),
                Login("u", "from file: #x"),
                at(7, 12),
                host_origins=(at(4, 11),),
            ),
            Relay(
                "second",
                one("[c.test]:587", "[d.test]:25"),
                Tls("fingerprint", fingerprints=(SHA256,)),
                at(14, 3),
                Login("v", "from env"),
                at(16, 12),
                host_origins=(at(15, 13), at(15, 21)),
            ),
            Relay(
                "third",
                one("[e.test]:587"),
                Tls("may", allow_cleartext_login=True),
                at(18, 3),
                Login("w", "in line # and all"),
                at(20, 12),
                host_origins=(at(19, 11),),
            ),
        ),
        default=("second", at(22, 10)),
        senders=(
            Sender("@a.test", "first", at(24, 3)),
            Sender("b@b.test", None, at(25, 3)),
            Sender("@c.test", "third", at(26, 3), Login("x", "y"), at(26, 33)),
            Sender("@d.test", "first", at(27, 3)),
            Sender("<>", "second", at(28, 3)),
        ),
        recipients=(
            Recipient("a.test", "first", at(30, 3)),
            Recipient(".b.test", "second", at(31, 3)),
            Recipient("c@c.test", None, at(32, 3)),
        ),
        passwords=(
            PasswordPlace(at(7, 41), file=str(password)),
            PasswordPlace(at(16, 40), variable="SECRET"),
            PasswordPlace(Origin(NAME)),
        ),
    )


@pytest.mark.parametrize(
    ("own", "of_sender", "found"),
    [
        ("", "", ()),
        (", mechanisms: PLAIN", "", ("plain",)),
        ("", ", mechanisms: [SCRAM-SHA-256, plain, PLAIN]", ("scram-sha-256", "plain")),
        (", mechanisms: [login]", ", mechanisms: [cram-md5, LOGIN]", ("login", "cram-md5")),
    ],
)
def test_mechanisms(sandbox: Sandbox, own: str, of_sender: str, found: tuple[str, ...]) -> None:
    """The mechanisms of all logins count for their relay, small or capital, each once; one may stand without a list."""
    relay = f"  r: {{host: r.test, login: {{username: u, password: p{own}}}}}\n"
    sender = f"  a.test: {{relay: r, login: {{username: v, password: q{of_sender}}}}}\n"
    file = read_file(sandbox, f"version: 1\nrelays:\n{relay}senders:\n{sender}")
    assert [relay.mechanisms for relay in file.relays] == [found]


def test_a_version_alone(sandbox: Sandbox) -> None:
    """A file may say nothing yet; it implies transports all the same."""
    inputs = read_inputs(sandbox, "version: 1\n")
    assert inputs.file == RelayFile()
    assert inputs.routing == "transports"


def test_no_file(sandbox: Sandbox) -> None:
    """Without the file there is none, and the routing is by maps."""
    inputs = read(Paths(sandbox.config_dir, sandbox.postfix_dir), {})
    assert inputs.file is None
    assert inputs.routing == "maps"


@pytest.mark.parametrize("value", ["transports", " Transports\t"])
def test_the_routing_that_is_implied(sandbox: Sandbox, value: str) -> None:
    """To say ``RELAY_ROUTING=transports`` beside the file changes nothing."""
    inputs = read_inputs(sandbox, "version: 1\n", RELAY_ROUTING=value)
    assert inputs.routing == "transports"
    assert inputs.problems == ()


@pytest.mark.parametrize(
    ("value", "nexthops", "implicit"),
    [
        ("{host: r.test}", ["[r.test]:587"], False),
        ("{host: R.Test, port: 25}", ["[R.Test]:25"], False),
        ("{host: r.test, port: 65535}", ["[r.test]:65535"], False),
        ("{host: '[r.test]'}", ["[r.test]:587"], False),
        ("{host: r.test, port: 465}", ["[r.test]:465"], True),
        ("{host: r.test, port: 465, tls: {mode: starttls}}", ["[r.test]:465"], False),
        ("{host: r.test, tls: {mode: implicit}}", ["[r.test]:587"], True),
        ("{host: r.test, mx: true}", ["r.test:25"], False),
        ("{host: r.test, mx: True, port: 587}", ["r.test:587"], False),
        ("{host: r.test, mx: false}", ["[r.test]:587"], False),
        ("{host: xn--bcher-kva.test}", ["[xn--bcher-kva.test]:587"], False),
        ("{hosts: [a.test]}", ["[a.test]:587"], False),
        ("{hosts: [a.test, 'b.test:25'], port: 2525}", ["[a.test]:2525", "[b.test]:25"], False),
        (
            "{hosts: ['[a.test]', '[b.test]:25', 'c.test:submission']}",
            ["[a.test]:587", "[b.test]:25", "[c.test]:submission"],
            False,
        ),
        ("{hosts: ['a.test:465', 'b.test:submissions']}", ["[a.test]:465", "[b.test]:submissions"], True),
        ("{hosts: ['a.test:465', b.test], port: 465}", ["[a.test]:465", "[b.test]:465"], True),
        ("{hosts: ['a.test:465', b.test], tls: {mode: implicit}}", ["[a.test]:465", "[b.test]:587"], True),
        ("{hosts: [a.test, 'b.test:2525'], mx: true}", ["a.test:25", "b.test:2525"], False),
        ("{host: 192.0.2.1, tls: {match: r.test}}", ["[192.0.2.1]:587"], False),
        ("{host: '2001:db8::1', tls: {level: encrypt}}", ["[2001:db8::1]:587"], False),
        ("{host: '[2001:db8::1]', tls: {level: dane}}", ["[2001:db8::1]:587"], False),
        (
            "{hosts: ['2001:db8::1', '[2001:db8::2]', '[2001:db8::3]:25'], tls: {level: may}}",
            ["[2001:db8::1]:587", "[2001:db8::2]:587", "[2001:db8::3]:25"],
            False,
        ),
    ],
)
def test_hosts_and_ports(sandbox: Sandbox, value: str, nexthops: list[str], implicit: bool) -> None:  # noqa: FBT001 -- of a table
    """587, or 25 with mx, where no port is given; brackets but with mx; port 465 is implicit TLS."""
    relay = read_relay(sandbox, value)
    assert relay.nexthops == one(*nexthops)
    assert relay.tls.implicit is implicit


def test_a_host_twice(sandbox: Sandbox) -> None:
    """A host may stand twice in the list that is tried; it has one login."""
    assert read_relay(sandbox, "{hosts: [a.test, b.test, a.test]}").nexthops == NexthopList(
        "[a.test]:587, [b.test]:587, [a.test]:587", ("[a.test]:587", "[b.test]:587")
    )


@pytest.mark.parametrize(
    ("value", "tls"),
    [
        ("{}", Tls("secure")),
        ("{match: x.test}", Tls("secure", match=("x.test",))),
        ("{match: [nexthop, dot-nexthop, .x.test]}", Tls("secure", match=("nexthop", "dot-nexthop", ".x.test"))),
        (f"{{fingerprints: '{SHA256}'}}", Tls("fingerprint", fingerprints=(SHA256,))),
        (f"{{fingerprints: '{SHA256.lower()}'}}", Tls("fingerprint", fingerprints=(SHA256,))),
        (f"{{fingerprints: ['{SHA256.replace(':', '')}']}}", Tls("fingerprint", fingerprints=(SHA256,))),
        (f"{{level: secure, fingerprints: ['{SHA256}']}}", Tls("fingerprint", fingerprints=(SHA256,))),
        (
            f"{{level: fingerprint, fingerprints: ['{SHA256}', '{SHA256}']}}",
            Tls("fingerprint", fingerprints=(SHA256,) * 2),
        ),
        *(
            (f"{{level: {level}}}", Tls(level))
            for level in ("secure", "verify", "dane-only", "dane", "encrypt", "may", "none")
        ),
        ("{level: dane, allow_cleartext_login: TRUE}", Tls("dane", allow_cleartext_login=True)),
    ],
)
def test_tls(sandbox: Sandbox, value: str, tls: Tls) -> None:
    """``secure`` where nothing is said, ``fingerprint`` where there are some; these are in one spelling then."""
    assert read_relay(sandbox, f"{{host: r.test, tls: {value}}}").tls == tls


@pytest.mark.parametrize(
    "password", ["'no'", '"12"', "'a''b'", "a#b", "a:b", '"a\\"b\\\\"', "'{a}'", "ä€", "a b", "no.", "x!y&z*", "'# x'"]
)
def test_passwords_in_the_file(sandbox: Sandbox, password: str) -> None:
    """Quotes and escapes are YAML's; the value is taken character for character."""
    relay = read_relay(sandbox, f"\n    host: r.test\n    login:\n      username: u\n      password: {password}")
    quoted = {"'a''b'": "a'b", '"a\\"b\\\\"': 'a"b\\'}
    assert relay.login == Login("u", quoted.get(password, password.strip("'\"")))


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_password_file(sandbox: Sandbox, end: str) -> None:
    """One line end at its end is taken off, and nothing else."""
    path = sandbox.write("a+b=c.d:e@f~g", f" inner blank ü\t{'.'}{end}".lstrip())
    assert read_relay(sandbox, f"{{host: r.test, login: {{username: u, password_file: '{path}'}}}}").login == Login(
        "u", "inner blank ü\t."
    )


def test_a_password_variable(sandbox: Sandbox) -> None:
    """The environment, a file that ``NAME__FILE`` or ``NAME_FILE`` names, relay.env: the first that has it counts."""
    path = sandbox.write("password", "of the file\n")
    value = "{host: r.test, login: {username: u, password_env: SES_PASSWORD}}"

    def found(**env: str) -> Login | None:
        return read_relay(sandbox, value, **env).login

    assert found(SES_PASSWORD__FILE=str(path)) == Login("u", "of the file")
    assert found(SES_PASSWORD_FILE=str(path)) == Login("u", "of the file")
    sandbox.write("relay.env", "SES_PASSWORD='of relay.env # x'\n")
    assert found() == Login("u", "of relay.env # x")
    assert found(SES_PASSWORD__FILE=str(path)) == Login("u", "of the file")
    assert found(SES_PASSWORD="of the environment") == Login("u", "of the environment")
    sandbox.write("relay.env", f"SES_PASSWORD__FILE={path}\n")
    assert found() == Login("u", "of the file")


@pytest.mark.parametrize(
    ("key", "sender"),
    [
        ("a.test", "@a.test"),
        ("'@a.test'", "@a.test"),
        ("A.Test", "@A.Test"),
        ("a@a.test", "a@a.test"),
        ("a+b@a.test", "a+b@a.test"),
        (".a@a.test", ".a@a.test"),
        ("<>", "<>"),
        ("'<>'", "<>"),
        ("localhost", "@localhost"),
        ("'12.test'", "@12.test"),
    ],
)
def test_senders(sandbox: Sandbox, key: str, sender: str) -> None:
    """A domain with or without an @, an address, or the null sender."""
    file = read_file(sandbox, f"version: 1\nsenders: {{{key}: direct}}\n")
    assert file.senders == (Sender(sender, None, at(2, 11)),)


@pytest.mark.parametrize(
    ("key", "recipient"),
    [
        ("a.test", "a.test"),
        ("'@a.test'", "a.test"),
        (".a.test", ".a.test"),
        ("a@a.test", "a@a.test"),
        (".a@a.test", ".a@a.test"),
    ],
)
def test_recipients(sandbox: Sandbox, key: str, recipient: str) -> None:
    """A domain with or without an @, all below a domain, or an address, as transport(5) has them."""
    file = read_file(sandbox, f"version: 1\nrecipients: {{{key}: direct}}\n")
    assert file.recipients == (Recipient(recipient, None, at(2, 14)),)


def test_a_domain_and_all_below_it(sandbox: Sandbox) -> None:
    """These are two recipients, as are a domain and an address of it."""
    file = read_file(sandbox, "version: 1\nrecipients: {a.test: direct, .a.test: direct, x@a.test: direct}\n")
    assert [recipient.key for recipient in file.recipients] == ["a.test", ".a.test", "x@a.test"]


def test_default_direct(sandbox: Sandbox) -> None:
    """``direct`` is a default that is said, and no relay."""
    assert read_file(sandbox, "version: 1\ndefault: direct\n").default == (None, at(2, 10))


def test_relay_names(sandbox: Sandbox) -> None:
    """Digits alone are a name where they stand in quotes; 64 characters are not too many."""
    names = ["a", "'12'", "a-b-2", "-", "x" * 64]
    file = read_file(sandbox, "version: 1\nrelays:\n" + "".join(f"  {name}: {{host: r.test}}\n" for name in names))
    assert [relay.name for relay in file.relays] == [name.strip("'") for name in names]


def test_anchors_and_aliases(sandbox: Sandbox) -> None:
    """An alias stands for a whole value; its places are those of the anchor."""
    file = read_file(
        sandbox,
        "version: 1\nrelays:\n"
        "  a: {host: a.test, login: &login {username: u, password: p}, tls: &tls {level: encrypt}}\n"
        "  b: {host: b.test, login: *login, tls: *tls}\n"
        "senders: {a.test: &way {relay: b, login: *login}, b.test: *way}\n",
    )
    first, second = file.relays
    assert (first.login, first.login_origin) == (second.login, second.login_origin) == (Login("u", "p"), at(3, 28))
    assert first.tls == second.tls == Tls("encrypt")
    assert [(s.key, s.relay, s.login_origin) for s in file.senders] == [
        ("@a.test", "b", at(3, 28)),
        ("@b.test", "b", at(3, 28)),
    ]


PLAIN = "version: 1\nrelays:\n  r:\n    host: r.test\n    login: {username: u, password: p}\ndefault: r\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.removesuffix("\n"),
        f"\ufeff{PLAIN}",
        f"---\n{PLAIN}",
        f"%YAML 1.1\n---\n{PLAIN}...\n",
        f"# a comment\n\n{PLAIN}# another\n",
        PLAIN.replace(": r.test", ': "r.test"  # a comment').replace("username", "'username'"),
        PLAIN.replace(": p}", ': "p"}  # a comment'),
        PLAIN.replace("r.test", ">-\n      r.test"),
        '{"version": 1, "relays": {"r": {"host": "r.test", "login": {"username": "u", "password": "p"}}}, "default": "r"}',
        f"# \u2028\x85\u2029\n{PLAIN}",
    ],
    ids=["CRLF", "no line end", "BOM", "---", "%YAML", "comments", "quotes", "comment", "folded", "JSON", "separators"],
)
def test_forms(sandbox: Sandbox, text: str) -> None:
    """However YAML lets it be written, it says the same."""
    file = read_file(sandbox, text)
    (relay,) = file.relays
    assert (relay.name, relay.nexthops, relay.tls, relay.login) == ("r", one("[r.test]:587"), Tls(), Login("u", "p"))
    assert file.default is not None
    assert file.default[0] == "r"


def test_a_comment_behind_a_password_after_odd_line_ends(sandbox: Sandbox) -> None:
    """YAML counts lines by line ends of its own: a comment behind a password is seen there as well."""
    sandbox.write(
        NAME, "# \u2028\n" + PLAIN.replace(" {username: u, password: p}", "\n      username: u\n      password: p #x")
    )
    problems = read(Paths(sandbox.config_dir, sandbox.postfix_dir), {}).problems
    assert [str(problem) for problem in problems] == [
        f"{NAME}:9:17: YAML reads the text after # as a comment -- put the value in quotes"
    ]


def test_the_secrets_do_not_show(sandbox: Sandbox) -> None:
    """No value that could be logged shows a password."""
    inputs = read_inputs(sandbox, PLAIN.replace("password: p", "password: s3cret"))
    assert "s3cret" not in repr(inputs)
