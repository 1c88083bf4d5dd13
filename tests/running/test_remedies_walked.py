"""No remedy is written in the package that is not followed: the walks are held to the source, and to the list of rules."""

from __future__ import annotations

import re
from pathlib import Path

import dms_relay
from dms_relay.checks.rules import RULES
from tests.running.test_remedies_followed import WALKS as WALKS_WITH_PASSWORDS
from tests.running.walks.token_walks import WALKS as WALKS_WITH_TOKENS
from tests.support.written_remedies import source_of

#: How remedies begin that cannot be followed in a test, or that no input leads to, and why.
NOT_WALKED = {
    "upgrade to Postfix": "there is one Postfix here, and every version that Debian supports has what is asked for",
    "install libsasl2-modules": "without it, no relay of the tests would take a login: the package is the machine's",
    "run as root": "who runs the tests may be root, who can read everything",
    "…": "what Postfix's own programs and files say where they are not there: there is no Postfix to send mail with",
    "remove … from postfix-main.cf and main.cf": "apply alone says it, in our image; walks hear there what check finds",
    "fix that": "stands for a reason that explain learns to tell later on: each that it tells now has its own",
}
WALKS = (*WALKS_WITH_PASSWORDS, *WALKS_WITH_TOKENS)
PACKAGE = Path(dms_relay.__file__).parent


def remedies() -> set[tuple[frozenset[str], str]]:
    """Return what the source can say under rules of `check`."""
    found = {(rules.intersection(RULES), remedy) for rules, remedy in source_of(PACKAGE).remedies()}
    return {(rules, remedy) for rules, remedy in found if rules - {"wrong-input", "doubtful-input"}}


def is_walked(rules: frozenset[str], remedy: str) -> bool:
    """Return True if a walk follows a remedy that matches, under one of the rules."""
    return any(walk.rule in rules and re.fullmatch(remedy, walk.remedy) for walk in WALKS)


def shown(remedy: str) -> str:
    """Return a pattern as it is read."""
    return re.sub(r"\\(.)", r"\1", remedy).replace(".+", "…")


def test_every_remedy_is_walked() -> None:
    """Each text that stands in the source, also those that vary within a rule; the exceptions are listed, and needed."""
    left = {shown(remedy) for rules, remedy in remedies() if not is_walked(rules, remedy)}
    assert {text for text in left if not text.startswith(tuple(NOT_WALKED))} == set()
    assert {words for words in NOT_WALKED if not any(text.startswith(words) for text in left)} == set()


def test_every_rule_is_walked() -> None:
    """Each rule of docs/checks.md, but those of which no remedy can be followed."""
    left = RULES.keys() - {walk.rule for walk in WALKS}
    assert left == {"machine-not-looked-at", "postfix-too-old", "sasl-mechanisms-missing"}


def test_the_source_is_read() -> None:
    """Texts are found that stand in a variable, a table, a tuple and another function, with what they vary in."""
    texts = {shown(remedy) for _, remedy in remedies()}
    assert {
        "remove RELAY_HOST, or add an account to postfix-accounts.cf",
        "remove the line, unless you want that",
        "write user:password without a space",
        "remove RELAY_HOST, unless you want both ports",
        "run chmod … …",
    } <= texts
