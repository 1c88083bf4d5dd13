"""The commands that edit: what they write, say and refuse, and the ``apply`` that follows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dms_relay.cli import main
from tests.support.console import of_level, said
from tests.support.sandbox import default_paths
from tests.support.scene import programs_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
SECRET = "s3cret-P4ss"
HEADLINE = ("error", "wrong arguments, nothing was changed")
EDITS = (
    ("add-domain", "a.test", "r.test"),
    ("add-auth", "a.test", "user", SECRET),
    ("exclude-domain", "a.test"),
    ("remove-domain", "a.test"),
    ("remove-auth", "a.test"),
)


@pytest.mark.parametrize(
    ("command", "name", "line", "out"),
    [
        (("add-domain", "a.test", "r.test"), RELAYMAP, "@a.test  [r.test]:25", "@a.test goes through [r.test]:25"),
        (
            ("add-domain", "@u@a.test", "[r.test]", "587"),
            RELAYMAP,
            "u@a.test  [r.test]:587",
            "u@a.test goes through [r.test]:587",
        ),
        (("add-domain", "<>", "r.test"), RELAYMAP, "<>  [r.test]:25", "<> goes through [r.test]:25"),
        (("exclude-domain", "@a.test"), RELAYMAP, "@a.test", "@a.test is excluded from RELAY_HOST"),
        (
            ("add-auth", "a.test", "u@b.test", SECRET),
            LOGINS,
            f"@a.test  u@b.test:{SECRET}",
            "@a.test logs in as u@b.test",
        ),
        (("add-auth", "[r.test]:587", "u", SECRET), LOGINS, f"[r.test]:587  u:{SECRET}", "[r.test]:587 logs in as u"),
        (("add-auth", "a.test", SECRET, SECRET), LOGINS, f"@a.test  {SECRET}:{SECRET}", "@a.test logs in as ********"),
    ],
)
def test_add(sandbox: Sandbox, command: tuple[str, ...], name: str, line: str, out: str) -> None:
    """The line is written and the fact is said; a second time nothing is written, and it says so."""
    first, second = sandbox.run(*command, "--no-apply"), sandbox.run(*command, "--no-apply")
    assert (first.code, first.out) == (0, f"{name}: {out}\n")
    assert (second.code, second.out) == (0, f"no change needed: {out}\n")
    assert (sandbox.config_dir / name).read_text() == f"{line}\n"
    assert SECRET not in first.out + first.err + second.out + second.err
    assert sorted(path.name for path in sandbox.config_dir.iterdir()) == [name]
    assert sandbox.table("relayhost_map") is None


@pytest.mark.parametrize(("command", "name"), [("remove-domain", RELAYMAP), ("remove-auth", LOGINS)])
def test_remove(sandbox: Sandbox, command: str, name: str) -> None:
    """Every line of the key goes; a second time, and where there is no file, it is so already."""
    assert sandbox.run(command, "a.test", "--no-apply").out.startswith("no change needed: ")
    assert list(sandbox.config_dir.iterdir()) == []
    sandbox.write(name, "# c\n@a.test x:y\n@A.TEST\n@b.test x:y\n")
    assert sandbox.run(command, "a.test", "--no-apply").out.startswith(f"{name}: ")
    assert sandbox.run(command, "a.test", "--no-apply").out.startswith("no change needed: ")
    assert (sandbox.config_dir / name).read_text() == "# c\n@b.test x:y\n"


ORDER = "write domain, host and port in this order: example.com smtp.example.com 587"
UNIX = "save the file with line ends of Unix (LF) or Windows (CRLF)"


@pytest.mark.parametrize(
    ("nexthop", "remedy"),
    [("[r.test]:587", "for the relay, write [r.test]:587"), ("r.test", "for the relay, edit the file by hand")],
)
def test_a_relay_where_a_sender_is_meant(sandbox: Sandbox, nexthop: str, remedy: str) -> None:
    """A name alone is a sender's domain; where it is a relay's host, a warning says how to name the relay."""
    result = sandbox.run("add-auth", "R.test", "user", SECRET, "--no-apply", env={"DEFAULT_RELAY_HOST": nexthop})
    text = "DOMAIN: r.test is a relay, but this sets the login of its senders"
    assert f"{text} -- {remedy}" in of_level(result, "warn")
    other = sandbox.run("add-auth", "s.test", "user", SECRET, "--no-apply", env={"DEFAULT_RELAY_HOST": nexthop})
    assert text not in other.err


@pytest.mark.parametrize("port", ["465", "smtps"])
def test_implicit_tls(sandbox: Sandbox, port: str) -> None:
    """Where routes stand in maps, Postfix does not speak it, and a warning says so; with transports it does."""
    text = f"[r.test]:{port} needs implicit TLS, which RELAY_ROUTING=maps does not support"
    result = sandbox.run("add-domain", "a.test", "r.test", port)
    assert result.code == 0
    assert of_level(result, "warn")[-1].startswith(f"postfix-relaymap.cf:1: {text}")
    (sandbox.postfix_dir / "master.cf").write_text("")
    result = sandbox.run("add-domain", "a.test", "r.test", port, env={"RELAY_ROUTING": "transports"})
    assert (result.code, of_level(result, "warn")) == (0, [])


def test_beside_relay_yaml(sandbox: Sandbox) -> None:
    """The name of a relay of relay.yaml is no host, and a warning says so; an excluded domain goes directly."""
    sandbox.write("relay.yaml", "version: 1\nrelays: {mailgun: {host: r.test}}\ndefault: mailgun\n")
    result = sandbox.run("add-domain", "a.test", "mailgun", "--no-apply")
    text = "mailgun is the name of a relay in relay.yaml, but this command uses it as a host"
    assert of_level(result, "warn") == [f"HOST: {text} -- to use that relay, add the sender to relay.yaml"]
    assert of_level(sandbox.run("add-domain", "a.test", "r.test", "--no-apply"), "warn") == []
    result = sandbox.run("add-auth", "r.test", "user", SECRET, "--no-apply")
    assert "DOMAIN: r.test is a relay, but this sets the login of its senders" in result.err
    assert "@b.test goes directly" in sandbox.run("exclude-domain", "b.test", "--no-apply").out


def test_one_directory_for_both(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where inputs and Postfix's configuration lie together, a run does not wait for its own lock."""
    monkeypatch.setattr("dms_relay.files.READING_TIMEOUT", 1000)
    directory = str(sandbox.postfix_dir)
    assert main(["--config-dir", directory, "--postfix-dir", directory, "add-domain", "a.test", "r.test"], {}) == 0
    assert sandbox.table("relayhost_map") == {"@a.test": "[r.test]:25"}


@pytest.mark.parametrize(
    ("key", "how"),
    [("r.test", "remove its line by hand"), ("[r.test]:587", "run remove-auth '[r.test]:587'")],
)
@pytest.mark.parametrize("typed", ["R.test", "r.test:25"])
def test_remove_the_login_at_a_relay_of_that_name(sandbox: Sandbox, key: str, how: str, typed: str) -> None:
    """A login stays whose relay has the name that was typed, but another key; a warning says how to remove that one."""
    sandbox.write(LOGINS, f"{key} u:{SECRET}\n@r.test v:{SECRET}\nr.test:25 w:{SECRET}\n@s.test x:y\n")
    result = sandbox.run("remove-auth", typed, "--no-apply")
    assert f"{key} u:{SECRET}\n" in (sandbox.config_dir / LOGINS).read_text()
    assert f"{LOGINS}: the login at the relay {key} was not removed -- to remove it, {how}" in of_level(result, "warn")
    assert "s.test" not in result.err


WRONG = [
    (
        ("add-domain", "a*b.com", "h:25", "0"),
        [
            "DOMAIN: domain is not valid -- use letters, digits, hyphens and dots only",
            'HOST: host "h:25" contains a port -- write the port as a separate argument: h 25',
            'PORT: port "0" is not a number from 1 to 65535 -- write the relay\'s port, such as 587',
        ],
    ),
    (("exclude-domain", "u@a.test"), ["DOMAIN: only a domain can opt out -- write a domain: example.com"]),
    (
        ("add-auth", "a.test", "user:x", SECRET),
        [
            (
                "USERNAME: the user name contains a colon, "
                "where Postfix ends it -- write only the user name; if the colon belongs to it, use another login"
            )
        ],
    ),
    (
        ("add-auth", "a.test", "", SECRET),
        ["USERNAME: the user name is empty -- write the one that the relay gave you"],
    ),
    (
        ("add-auth", "a.test", "user", ""),
        ["PASSWORD: the password is empty -- write the one that the relay gave you"],
    ),
    (
        ("add-auth", "a.test", "user", f"{SECRET}\n@b.test x:y"),
        [
            (
                "PASSWORD: the password contains a line end or a NUL, which a lookup table cannot hold --"
                " write only the password, on one line"
            )
        ],
    ),
    (
        ("add-auth", "a.test", "user", f"{SECRET} "),
        ["PASSWORD: the password begins or ends with a space, which a lookup table cannot hold -- remove the space"],
    ),
    (("add-auth", "a.test", "user", f"{SECRET}\udcff"), ["PASSWORD: it is not UTF-8 -- write it in UTF-8"]),
    (
        ("add-auth", "a.test", "user", SECRET * 1000),
        ["PASSWORD: the login is longer than 9214 octets -- use the login that the relay gave you"],
    ),
    (
        ("add-domain", "\udcff@a.test", "\udcff", "\udcff"),
        [
            "DOMAIN: it is not UTF-8 -- write it in UTF-8",
            "HOST: it is not UTF-8 -- write it in UTF-8",
            "PORT: port is not a number from 1 to 65535 -- write the relay's port, such as 587",
        ],
    ),
    (
        ("add-domain", "smtp.r.test", "587"),
        [
            f'HOST: "587" is a port, not a host -- {ORDER}',
        ],
    ),
    (
        ("add-domain", "a.test", "smtps://smtp.r.test"),
        ["HOST: the host is a URL -- write only the host name; the port is a separate argument"],
    ),
    (
        ("add-auth", "a.test", "a\x1b[31mb", SECRET),
        ["USERNAME: the user name contains a control character -- write the one that the relay gave you"],
    ),
    (("remove-auth", "[a.test"), ['DOMAIN: nexthop "[a.test" has no closing bracket -- write [host]:port']),
]


@pytest.mark.parametrize(("command", "errors"), WRONG)
def test_wrong_arguments(sandbox: Sandbox, command: tuple[str, ...], errors: list[str]) -> None:
    """Each argument is checked as the core checks its inputs, all at once; the exit code is 2, and nothing is written."""
    result = sandbox.run(*command)
    assert [line for line in said(result) if line[0] == "error"] == [HEADLINE, *(("error", error) for error in errors)]
    assert (result.code, result.out) == (2, "")
    assert SECRET not in result.err
    assert list(sandbox.config_dir.iterdir()) == []


@pytest.mark.parametrize("command", EDITS)
def test_apply_follows(sandbox: Sandbox, command: tuple[str, ...]) -> None:
    """After an edit, Postfix has it; also where the file was right already and only ``apply`` was due."""
    sandbox.write(RELAYMAP, "@a.test  [old.test]:25\n@c.test [c.test]\n")
    sandbox.write(LOGINS, "@a.test  old:x\n")
    sandbox.apply()
    for _ in range(2):
        result = sandbox.run(*command)
        assert result.code == 0
        assert SECRET not in result.out + result.err
        found = (sandbox.table("relayhost_map"), sandbox.table("sasl_passwd"))
        assert sandbox.run("plan", "--exit-code").code == 0
        (sandbox.postfix_dir / "relayhost_map").write_text("")
        (sandbox.postfix_dir / "sasl_passwd").write_text("")
    assert found != ({"@a.test": "[old.test]:25", "@c.test": "[c.test]"}, {"@a.test": "old:x"})


def test_what_apply_says_comes_after(sandbox: Sandbox) -> None:
    """The edit is said first, then what became of Postfix."""
    assert sandbox.run("add-domain", "a.test", "r.test").out.splitlines() == [
        f"{RELAYMAP}: @a.test goes through [r.test]:25",
        "applied: 1 table and 1 parameter changed",
    ]
    assert sandbox.run("add-domain", "a.test", "r.test").out.splitlines() == [
        "no change needed: @a.test goes through [r.test]:25",
        "nothing to do",
    ]


def test_another_problem_is_said_beside_the_edit(sandbox: Sandbox) -> None:
    """The edit is fine, another line is wrong: both are said, the edit stands, Postfix is as before; exit code 78."""
    sandbox.write(RELAYMAP, "@b.test [b.test:25\n")
    before = sandbox.snapshot()
    result = sandbox.run("add-domain", "a.test", "r.test")
    assert result.out == f"{RELAYMAP}: @a.test goes through [r.test]:25\n"
    assert said(result) == [
        (
            "error",
            f"{RELAYMAP} was changed, but Postfix was not: the inputs are wrong; fix them, then run dms-relay apply",
        ),
        ("error", f'{RELAYMAP}:1: nexthop "[b.test:25" has no closing bracket -- write [b.test]:25'),
    ]
    assert result.code == os.EX_CONFIG
    assert (sandbox.config_dir / RELAYMAP).read_text() == "@b.test [b.test:25\n@a.test  [r.test]:25\n"
    assert sandbox.snapshot() == before
    again = sandbox.run("add-domain", "a.test", "r.test")
    assert of_level(again, "error")[0].startswith("Postfix was not changed: the inputs are wrong")
    assert again.code == os.EX_CONFIG


def test_a_failing_apply_is_said_beside_the_edit(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a Postfix program fails, the edit stands, and the message says what is to be done."""
    monkeypatch.setenv("PATH", f"{programs_with(tmp_path, postmap='exit 1')}:{os.environ['PATH']}")
    result = sandbox.run("add-domain", "a.test", "r.test", env={"RELAY_TABLES": "cdb"})
    assert result.out == f"{RELAYMAP}: @a.test goes through [r.test]:25\n"
    assert of_level(result, "error") == [
        f"{RELAYMAP} was changed, but Postfix was not: fix this, then run dms-relay apply",
        f"postmap -w cdb:{sandbox.postfix_dir}/.dms-relay.index/table failed with exit code 1: without a message",
    ]
    assert result.code == os.EX_UNAVAILABLE


def test_a_file_that_cannot_be_edited(sandbox: Sandbox) -> None:
    """What stands in the file is said with its name; nothing is written, and apply is not tried."""
    sandbox.write(RELAYMAP, "@a.test [r.test]:25\r@b.test [r.test]:25\r")
    result = sandbox.run("add-domain", "a.test", "r.test")
    assert said(result) == [
        ("error", "wrong inputs, nothing was changed"),
        (
            "error",
            f"{RELAYMAP}: line 1 contains a carriage return in the middle -- {UNIX}",
        ),
    ]
    assert (result.code, result.out) == (os.EX_CONFIG, "")


def test_a_directory_in_place_of_the_file(sandbox: Sandbox) -> None:
    """Docker makes one where the file to mount is not there: exit code 66, with what to do."""
    (sandbox.config_dir / RELAYMAP).mkdir()
    result = sandbox.run("add-domain", "a.test", "r.test")
    assert said(result)[0] == ("error", "an input cannot be read, nothing was changed")
    assert said(result)[1][1].startswith(f"{RELAYMAP}: is a directory: a mounted file must exist before")
    assert result.code == os.EX_NOINPUT


def test_no_configuration_directory(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the default directory is not there, nothing is made in its place: it would be lost with the container."""
    missing = sandbox.config_dir / "nowhere"
    default_paths(monkeypatch, missing, sandbox.postfix_dir)
    monkeypatch.setattr(sandbox, "arguments", lambda *command: list(command))
    result = sandbox.run("add-domain", "a.test", "r.test")
    assert said(result) == [
        ("error", f"{missing} does not exist -- mount the configuration directory there, or name it with --config-dir")
    ]
    assert result.code == os.EX_CANTCREAT


def test_no_apply_where_no_postfix_is_known(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The files of a container can be edited on a host, whose own Postfix has nothing to do with them."""
    before = sandbox.snapshot()
    for environ, arguments in (({}, []), ({"MAIL_CONFIG": "/nowhere"}, []), ({}, ["--postfix-dir", "/nowhere"])):
        code = main(["--config-dir", str(sandbox.config_dir), *arguments, "add-domain", "a.test", "r.test"], environ)
        assert code == 0
        assert capsys.readouterr().out.splitlines()[-1] == (
            "not applied: no Postfix here uses this directory -- run dms-relay apply where Postfix is"
        )
    assert sandbox.snapshot() == before


def test_apply_where_both_are_at_home(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a container neither directory is named, and ``apply`` follows; so it does where ``MAIL_CONFIG`` names one."""
    environ = {"MAIL_CONFIG": str(sandbox.postfix_dir)}
    assert main(["--config-dir", str(sandbox.config_dir), "add-domain", "a.test", "r.test"], environ) == 0
    assert "applied: " in capsys.readouterr().out
    default_paths(monkeypatch, sandbox.config_dir, sandbox.postfix_dir)
    assert main(["add-domain", "b.test", "r.test"], {}) == 0
    assert "applied: " in capsys.readouterr().out
    assert sandbox.table("relayhost_map") == {"@a.test": "[r.test]:25", "@b.test": "[r.test]:25"}


def test_no_file_is_made_for_nothing(sandbox: Sandbox) -> None:
    """An empty relaymap would switch the feature on, so removing what is not there makes no file."""
    sandbox.run("remove-domain", "a.test")
    assert list(sandbox.config_dir.iterdir()) == []


@pytest.mark.parametrize("words", [["help"], ["--help"], ["-h"]])
@pytest.mark.parametrize("command", [command[0] for command in EDITS])
def test_help(command: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """``setup relay COMMAND help``, as docker-mailserver has it, is ``--help``; the name of the program is as called."""
    with pytest.raises(SystemExit) as ended:
        main([command, *words], {}, "setup relay")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: setup relay {command} ")


def test_help_first(capsys: pytest.CaptureFixture[str]) -> None:
    """``help`` alone and ``help COMMAND`` are understood too."""
    for words, usage in ((["help"], "usage: dms-relay [-h]"), (["help", "list"], "usage: dms-relay list ")):
        with pytest.raises(SystemExit) as ended:
            main(words, {})
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(usage)
