"""What stands in the mail server's own files and is no domain: left out with a warning, for the server can do without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.console import of_level

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

SECRET = "s3cret-hash"
NOT_VALID = "is not valid, so no mail is relayed for it -- use letters, digits, hyphens and dots only"
CASES = {
    "a pattern": ("vhost", "*.b.test", f"domain {NOT_VALID}"),
    "two fields": ("vhost", "a.test OK", f"domain {NOT_VALID}"),
    "an address": ("vhost", "a@a.test", f"domain {NOT_VALID}"),
    "a hyphen first": ("vhost", "-a.test", f'domain "-a.test" {NOT_VALID}'),
    "a dot at the end": (
        "vhost",
        "a.test.",
        'domain "a.test." ends in a dot, so no mail is relayed for it -- remove the dot',
    ),
    "a no-break space": (
        "vhost",
        "a.test\u00a0",
        "the text contains a no-break space or the like, so no mail is relayed for it -- type a plain space instead",
    ),
    "a megabyte": (
        "vhost",
        "x" * 2**20,
        "the domain is longer than 255 octets, so no mail is relayed for it -- write a domain",
    ),
    "no bar before the hash": ("postfix-accounts.cf", f"a@a.test{{SHA512-CRYPT}}${SECRET}", f"domain {NOT_VALID}"),
    "a colon for the bar": ("postfix-accounts.cf", f"a@a.test:{SECRET}", f"domain {NOT_VALID}"),
    "a bad domain of an account": ("postfix-accounts.cf", f"a@a..test|{SECRET}", f"domain {NOT_VALID}"),
    "a bad domain of an alias": ("postfix-virtual.cf", "a@a-.test b@b.test", f'domain "a-.test" {NOT_VALID}'),
}
GOOD = {"vhost": "good.test", "postfix-accounts.cf": "a@good.test|x", "postfix-virtual.cf": "a@good.test b"}


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_domain_is_left_out(sandbox: Sandbox, case: str) -> None:
    """The warning names the place, shows nothing of an account's line, and all other domains are relayed."""
    file, line, warning = CASES[case]
    sandbox.write(file, f"{GOOD[file]}\n{line}\n")
    result = sandbox.apply(RELAY_HOST="r.test", RELAY_USER="u", RELAY_PASSWORD="p")
    assert of_level(result, "warn") == [f"{file}:2: {warning}"]
    assert SECRET not in result.out + result.err
    assert sandbox.table("relayhost_map") == {"@good.test": "[r.test]:25"}
