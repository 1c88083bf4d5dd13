"""``dms-relay import`` of variables that an image cannot use, or not as they are written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dms_relay.log import printable
from tests.support.console import said

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

SECRET = "with$dollar and#hash"
CONTROL = "the value contains a line end or a control character -- write one line"
UTF8 = "the value is not UTF-8 -- write it in UTF-8"
BOKY = {"RELAYHOST": "[a.example]", "RELAYHOST_USERNAME": "u", "RELAYHOST_PASSWORD": SECRET}
#: Values of the environment that no file could hold.
ODD_VALUES = [
    ({"POSTFIX_x": "a\nrelayhost = evil.example"}, f"env POSTFIX_x: {CONTROL}"),
    ({"RELAYHOST": "a\nb"}, f"env RELAYHOST: {CONTROL}"),
    ({"RELAYHOST_USERNAME": "u\nx y:z"}, f"env RELAYHOST_USERNAME: {CONTROL}"),
    ({"RELAYHOST_PASSWORD": f"{SECRET}\nx y:z"}, f"env RELAYHOST_PASSWORD: {CONTROL}"),
    ({"RELAYHOST": "a\udcff"}, f"env RELAYHOST: {UTF8}"),
    ({"POSTFIX_x": "\udcff"}, f"env POSTFIX_x: {UTF8}"),
    ({"RELAYHOST_PASSWORD": f"{SECRET}\udcff"}, f"env RELAYHOST_PASSWORD: {UTF8}"),
    ({"MYNETWORKS": "\udcff"}, f"env MYNETWORKS: {UTF8}"),
]
MISSPELT = "no shell has a variable of this name, so the image does nothing with it -- check the spelling of its name"
NO_DOMAIN = "is no domain -- write domains, with blanks between them"
#: What is said here.
SAID = (*(text for _, text in ODD_VALUES), MISSPELT, NO_DOMAIN)


@pytest.mark.parametrize(("env", "text"), ODD_VALUES)
def test_values_that_no_line_can_hold(sandbox: Sandbox, env: dict[str, str], text: str) -> None:
    """Line ends and octets that are not UTF-8 are said, with the variable; no value is shown."""
    result = sandbox.run("import", "--from", "bokysan", env={**BOKY, **env})
    assert (result.code, result.out) == (os.EX_CONFIG, "")
    assert said(result)[-1][1] == text
    assert SECRET not in result.err


@pytest.mark.parametrize(
    "name", ["POSTFIX_a b", "POSTFIX_", "POSTFIX_#x", "POSTFIX_x-y", "POSTFIX_\udcff", "POSTFIX_a\nb"]
)
@pytest.mark.parametrize("source", ["bokysan", "juanluisbaptiste"])
def test_names_that_no_shell_has(sandbox: Sandbox, name: str, source: str) -> None:
    """A variable that the image's start script cannot see is noted, and everything else is imported."""
    env = BOKY if source == "bokysan" else {"SMTP_SERVER": "a.example", "SERVER_HOSTNAME": "mail.b.example"}
    result = sandbox.run("import", "--from", source, env={**env, name: "b=c"})
    assert (result.code, result.err) == (0, "")
    assert f"env {printable(name)}: {MISSPELT}" in result.out
    assert "and all go as before" in result.out


@pytest.mark.parametrize("domain", ["a}b", "{a", "$x", "a=b"])
def test_domains_that_are_none(sandbox: Sandbox, domain: str) -> None:
    """What no table can have as a key is left out of the table, and said."""
    result = sandbox.run("import", "--from", "bokysan", env={**BOKY, "ALLOWED_SENDER_DOMAINS": f"{domain} b.example"})
    assert f"env ALLOWED_SENDER_DOMAINS: {domain} {NO_DOMAIN}" in result.out
    assert "inline:{b.example=OK}" in result.out
