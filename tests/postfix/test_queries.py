"""What Postfix's programs are asked, and how their answers are read: parameters, defaults, lookup tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dms_relay.errors import PostfixError
from dms_relay.postfix.programs import Postfix
from tests.support.scene import programs_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

#: Some of what Python takes for a line end, and Postfix does not; all of it can stand in a password.
ODD = "a\x0bb\x0cc\x1cd\x85e\u2028f"


def table(sandbox: Sandbox, text: str) -> str:
    """Write a table, an hour old, and give its name."""
    path = sandbox.write("table", text)
    os.utime(path, (1, 1))
    return f"texthash:{path}"


def test_lookup(sandbox: Sandbox) -> None:
    """Each key that is there has its value, whatever stands in it; one that is not there is no error."""
    name = table(sandbox, f"[r.test]:587 user:{ODD}\nA.test x y\n")
    found = Postfix(sandbox.postfix_dir).lookup(name, ["[r.test]:587", "a.test", "other"])
    assert found == {"[r.test]:587": f"user:{ODD}", "a.test": "x y"}
    assert Postfix(sandbox.postfix_dir).lookup(name, ["other"]) == {}


def test_key_that_stands_twice(sandbox: Sandbox) -> None:
    """postmap(1) only warns of it, but the daemons refuse such a table: so do we, whichever key is asked for."""
    name = table(sandbox, "a x\nb y\na z\n")
    for key in ("a", "b", "c"):
        with pytest.raises(PostfixError, match="a lookup key is in the table twice"):
            Postfix(sandbox.postfix_dir).lookup(name, [key])


def test_table_that_is_not_there(sandbox: Sandbox) -> None:
    """That is an error, with what postmap says."""
    with pytest.raises(PostfixError, match=r"postmap -q failed with exit code 1: .*No such file or directory"):
        Postfix(sandbox.postfix_dir).lookup("texthash:/no/such", ["a"])


def test_warning_of_postmap_is_no_failure(sandbox: Sandbox) -> None:
    """A warning about main.cf, such as of a parameter that is set twice, does not make "not found" a failure."""
    sandbox.write_main_cf(sandbox.main_cf.read_text() + "myhostname = a.test\nmyhostname = b.test\n")
    assert Postfix(sandbox.postfix_dir).lookup(table(sandbox, "a x\n"), ["b"]) == {}


def test_parameters(sandbox: Sandbox) -> None:
    """As they stand, expanded, and by default; a value is all of its line."""
    sandbox.write_main_cf(sandbox.main_cf.read_text() + f"smtp_helo_name = $myhostname\nsmtp_bind_address = {ODD}\n")
    postfix = Postfix(sandbox.postfix_dir)
    assert postfix.parameters()["smtp_helo_name"] == "$myhostname"
    assert postfix.parameters()["smtp_bind_address"] == ODD
    assert postfix.expanded("smtp_helo_name", "relayhost") == {"smtp_helo_name": "mail.example.test", "relayhost": ""}
    assert postfix.defaults("smtp_tls_CApath", "default_transport") == {
        "smtp_tls_CApath": "",
        "default_transport": "smtp",
    }


def test_program_that_says_nothing_of_use(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that fails without a word is a failure, and what it is fed is in no message."""
    monkeypatch.setenv("PATH", str(programs_with(tmp_path, postmap="exit 75")))
    with pytest.raises(PostfixError, match=r"postmap -q failed with exit code 75: without a message$"):
        Postfix(sandbox.postfix_dir).lookup("texthash:/x", ["s3cret"])
