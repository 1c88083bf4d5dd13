"""The command line of a boot: what is read without argparse is what argparse would have read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms_relay.arguments import parse
from dms_relay.log import FORMATS, LEVELS
from dms_relay.plain import parse_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = st.one_of(
    st.sampled_from(["--config-dir", "--postfix-dir", "--log-level", "--log-format", "apply", "--no-reload"]),
    st.sampled_from(
        ["plan", "--lock-timeout", "3", "--help", "-h", "help", "--", "-", "", "--log-level=info", "--no-rel"]
    ),
    st.sampled_from([*LEVELS, *FORMATS]),
    st.text(max_size=3),
)
OPTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["--config-dir", "--postfix-dir"]), st.one_of(WORDS, st.text())),
        st.tuples(st.just("--log-level"), st.sampled_from(LEVELS)),
        st.tuples(st.just("--log-format"), st.sampled_from(FORMATS)),
    ),
    max_size=4,
).map(lambda pairs: [word for pair in pairs for word in pair])


def check(argv: Sequence[str]) -> bool:
    """Check that argparse reads the same, and say whether it was read without it."""
    plain = parse_plain(argv)
    if plain:
        assert vars(plain) == vars(parse(argv, "dms-relay"))
    return plain is not None


@given(st.lists(WORDS, max_size=7))
def test_any_words(argv: list[str]) -> None:
    """Whatever the words are, what is read is right."""
    check(argv)


@given(OPTIONS, st.sampled_from([["apply"], ["apply", "--no-reload"]]))
def test_a_plain_apply(options: list[str], ending: list[str]) -> None:
    """Options of the program and a plain ``apply``, whatever the directories are called."""
    is_plain = all(not value.startswith("-") for value in options[1::2])
    assert check([*options, *ending]) == is_plain


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["plan"],
        ["apply", "--lock-timeout", "3"],
        ["--log-level", "loud", "apply"],
        ["--config-dir", "apply"],
        ["--config-dir"],
        ["apply", "--help"],
        ["apply", "help"],
        ["help", "apply"],
        ["--no-reload", "apply"],
    ],
)
def test_left_to_argparse(argv: list[str]) -> None:
    """Other commands, other options, and whatever is wrong."""
    assert parse_plain(argv) is None
