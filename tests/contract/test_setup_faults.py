"""What was seen to go wrong in the original ``setup relay`` (last section of the contract): one test for each fault."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Result, Sandbox

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
SECRET = "s3cret-P4ss"


def edit(sandbox: Sandbox, *command: str) -> Result:
    """Run a command that edits, without apply, which must succeed."""
    result = sandbox.run(*command, "--no-apply")
    assert result.code == 0, result.err
    return result


def text(sandbox: Sandbox, name: str) -> str:
    """Return a file of the configuration directory."""
    return (sandbox.config_dir / name).read_bytes().decode()


def test_a_second_identical_add_auth(sandbox: Sandbox) -> None:
    """The original exits with 1 and prints the password. Here: "no change needed", exit 0, and nothing is written."""
    edit(sandbox, "add-auth", "a.test", "user", SECRET)
    before = (sandbox.config_dir / LOGINS).stat()
    result = edit(sandbox, "add-auth", "a.test", "user", SECRET)
    assert result.out == "no change needed: @a.test logs in as user\n"
    assert SECRET not in result.out + result.err
    after = (sandbox.config_dir / LOGINS).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "password", [r"a\nb", r"a\tb", r"a\1b", "a&b", r"a\\b", "a|b", "a/b", "a$1b", "-e", "-n x", r"\0101"]
)
def test_what_sed_and_echo_mangle(sandbox: Sandbox, password: str) -> None:
    r"""``\n``, ``\t``, ``\1``, ``&`` in a password are mangled on replace. Here: as typed, when added and when replaced."""
    for before in ("", "old", password):
        sandbox.write(LOGINS, f"@a.test  user:{before}\n" if before else "")
        edit(sandbox, "add-auth", "a.test", "user", password)
        assert text(sandbox, LOGINS) == f"@a.test  user:{password}\n"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (RELAYMAP, ["add-domain", "b.test", "r.test"]),
        (RELAYMAP, ["exclude-domain", "b.test"]),
        (LOGINS, ["add-auth", "b.test", "user", "x"]),
    ],
)
def test_a_file_without_a_final_line_end(sandbox: Sandbox, name: str, command: list[str]) -> None:
    """Two entries are glued together. Here: the last line gets its end first."""
    sandbox.write(name, "@a.test  one:two")
    edit(sandbox, *command)
    first, second = text(sandbox, name).splitlines()
    assert first == "@a.test  one:two"
    assert second.startswith("@b.test")


def test_a_pattern_is_no_domain(sandbox: Sandbox) -> None:
    """``@a*b.com`` replaces ``@ab.com``. Here: it is refused, and a dot is a dot."""
    sandbox.write(RELAYMAP, "@ab.com  [r.test]:25\n@axb.com  [r.test]:25\n")
    result = sandbox.run("add-domain", "a*b.com", "other.test")
    assert result.code == 2
    assert text(sandbox, RELAYMAP) == "@ab.com  [r.test]:25\n@axb.com  [r.test]:25\n"
    edit(sandbox, "add-domain", "a.b.com", "other.test")
    assert text(sandbox, RELAYMAP).splitlines() == [
        "@ab.com  [r.test]:25",
        "@axb.com  [r.test]:25",
        "@a.b.com  [other.test]:25",
    ]


@pytest.mark.parametrize("line", ["@a.test", "@a.test  ", "@a.test\t", "  @a.test", "@A.Test"])
def test_an_opt_out_that_was_written_by_hand(sandbox: Sandbox, line: str) -> None:
    """It is not found, and a contradicting line is added. Here: it is found in every spelling, and replaced."""
    sandbox.write(RELAYMAP, f"# one\n{line}\n# two\n")
    edit(sandbox, "add-domain", "a.test", "r.test", "587")
    assert text(sandbox, RELAYMAP) == "# one\n@a.test  [r.test]:587\n# two\n"
    edit(sandbox, "exclude-domain", "a.test")
    assert text(sandbox, RELAYMAP) == "# one\n@a.test\n# two\n"


def test_the_password_file_is_for_its_owner_alone(sandbox: Sandbox) -> None:
    """It is created readable by everyone. Here: 0600, whatever the umask is."""
    for umask in (0o000, 0o022, 0o277):
        (sandbox.config_dir / LOGINS).unlink(missing_ok=True)
        before = os.umask(umask)
        try:
            edit(sandbox, "add-auth", "a.test", "user", SECRET)
        finally:
            os.umask(before)
        assert stat.S_IMODE((sandbox.config_dir / LOGINS).stat().st_mode) == 0o600


def test_the_other_file_is_for_everyone_to_read(sandbox: Sandbox) -> None:
    """No secret stands in the relaymap: 0644."""
    edit(sandbox, "add-domain", "a.test", "r.test")
    assert stat.S_IMODE((sandbox.config_dir / RELAYMAP).stat().st_mode) == 0o644


def test_a_password_file_that_everyone_can_read(sandbox: Sandbox) -> None:
    """One that the original has created so keeps its mode, and a warning says how to fix it."""
    sandbox.write(LOGINS, "@b.test  other:x\n").chmod(0o644)
    result = edit(sandbox, "add-auth", "a.test", "user", SECRET)
    assert stat.S_IMODE((sandbox.config_dir / LOGINS).stat().st_mode) == 0o644
    assert of_level(result, "warn")[-1] == f"{LOGINS}: every user of this machine can read it -- run chmod 600 {LOGINS}"


def test_list_and_remove(sandbox: Sandbox) -> None:
    """Nothing lists or removes. Here: ``list``, ``remove-domain`` and ``remove-auth``."""
    edit(sandbox, "add-domain", "a.test", "r.test")
    edit(sandbox, "add-auth", "a.test", "user", SECRET)
    assert "@a.test" in sandbox.run("list").out
    assert edit(sandbox, "remove-domain", "a.test").out == f"{RELAYMAP}: @a.test was removed\n"
    assert edit(sandbox, "remove-auth", "a.test").out == f"{LOGINS}: the login of @a.test was removed\n"
    assert (text(sandbox, RELAYMAP), text(sandbox, LOGINS)) == ("", "")
