"""The syntax of main.cf, held against Postfix's own ``postconf``: what we read is what it reads, what we edit is too."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from dms_relay.postfix import main_cf
from tests.support.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("relayhost", "smtp_sasl_auth_enable", "smtp_tls_security_level", "smtp_sasl_password_maps")
#: What isspace(3) knows: ``postconf`` shows a run of these as one blank, and so do we here.
BLANKS = re.compile(r"[ \t\r\n\v\f]+")
PROPERTY = settings(max_examples=amount(40, 1500), deadline=None, suppress_health_check=list(HealthCheck))

# Each line is a setting or a comment, and no macro is open: what Postfix refuses costs a second each time.
name_texts = st.sampled_from([*NAMES, *NAMES, "other", "# comment", "#relayhost", "Relayhost", "relayhost_2"])
value_texts = st.text(st.sampled_from("ab[]:#= \t,\"'\\\r\v\fü\u00a0"), max_size=8)
line_texts = st.builds(
    lambda indent, name, equals, value: f"{indent}{name}{equals}{value}",
    st.sampled_from(["", "", "", " ", "\t", "\r", " \r", "\v"]),
    name_texts,
    st.sampled_from(["=", " = ", "\t=", "= "]),
    value_texts,
)
main_cf_texts = st.builds(
    lambda lines, line_end, last: line_end.join(lines) + last,
    st.lists(line_texts, max_size=10),
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
)
changes_to_make = st.dictionaries(
    st.sampled_from(NAMES),
    st.none() | st.text(st.sampled_from("ab[]:#=, '\"\\ü"), max_size=8).map(str.strip),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Postfix configuration directory for all examples."""
    path = tmp_path_factory.mktemp("postfix")
    (path / "master.cf").touch()
    return path


def postconf(directory: Path, *arguments: str) -> str | None:
    """Run ``postconf``; ``None`` where it refuses."""
    done = subprocess.run(["postconf", "-c", str(directory), *arguments], capture_output=True, check=False)
    return None if done.returncode else done.stdout.decode()


def values_by_postconf(directory: Path, text: str) -> dict[str, str] | None:
    """Return what Postfix reads from a main.cf; ``None`` where it refuses the file."""
    path = directory / "main.cf"
    path.write_bytes(text.encode())
    # A file that was just written would make postconf wait.
    os.utime(path, (0, 0))
    shown = postconf(directory, "-n", *NAMES)
    pairs = (line.partition(" =") for line in (shown or "").split("\n") if line)
    return None if shown is None else {name: squeezed(value) for name, _, value in pairs}


def squeezed(value: str) -> str:
    """Return a value with one blank for each run of them, as ``postconf`` shows it."""
    return BLANKS.sub(" ", value).strip(" ")


def values_by_us(text: str) -> dict[str, str]:
    """Return what we read from a main.cf, in the same form."""
    return {name: squeezed(value) for name, value in main_cf.values(text).items() if name in NAMES}


@pytest.mark.soak
@PROPERTY
@given(main_cf_texts)
@example("relayhost = a\n\n# x\n   # y\n b\n")
@example(" relayhost = a\nrelayhost = b")
@example("# x\n relayhost = a\n")
@example("relayhost\n = b\n")
@example("relayhost = a\r\n b\r\nrelayhost = c\r\n")
@example("relayhost\u00a0= a\n")
@example("relayhost = $mydomain $$x\n")
def test_values_are_those_that_postconf_reads(directory: Path, text: str) -> None:
    """For each main.cf that Postfix takes, with comments, continuation lines and repeated names, we read the same."""
    found = values_by_postconf(directory, text)
    assume(found is not None)
    assert values_by_us(text) == found


@pytest.mark.long
@pytest.mark.soak
@PROPERTY
@given(main_cf_texts, changes_to_make)
@example("relayhost = a\n# x\n b\nrelayhost = c\n# end\n", {"relayhost": "d"})
@example("relayhost = a\n# x\n b\nrelayhost = c\n# end\n", {"relayhost": None})
def test_edit_gives_the_values_that_postconf_gives(directory: Path, text: str, changes: dict[str, str | None]) -> None:
    """What ``edit`` makes of a main.cf has the values that it has after ``postconf -e`` and ``postconf -X``."""
    # Without a last line end, postconf -e glues what it adds to the last line.
    text = text.removesuffix("\n") + "\n"
    assume(values_by_postconf(directory, text) is not None)
    edited = main_cf.edit(text, changes)
    added = [f"{name} = {value}" for name, value in changes.items() if value is not None]
    removed = [name for name, value in changes.items() if value is None]
    assert not added or postconf(directory, "-e", *added) is not None
    assert not removed or postconf(directory, "-X", *removed) is not None
    theirs = (directory / "main.cf").read_bytes().decode()
    wanted = values_by_postconf(directory, theirs)
    assert values_by_postconf(directory, edited) == wanted
    assert values_by_us(edited) == wanted


@pytest.mark.soak
@settings(max_examples=amount(100, 3000), deadline=None)
@given(main_cf_texts, changes_to_make)
def test_edit_changes_nothing_else(text: str, changes: dict[str, str | None]) -> None:
    """The changed names have their new values, all others the old ones; a second edit changes nothing."""
    edited = main_cf.edit(text, changes)
    wanted = main_cf.values(text) | {name: value for name, value in changes.items() if value is not None}
    removed = {name for name, value in changes.items() if value is None}
    assert main_cf.values(edited) == {name: value for name, value in wanted.items() if name not in removed}
    assert main_cf.edit(edited, changes) == edited


@pytest.mark.parametrize(
    ("text", "changes", "edited"),
    [
        ("", {"relayhost": "x"}, "relayhost = x\n"),
        ("# a\n", {"relayhost": None}, "# a\n"),
        ("a = 1", {"relayhost": "x"}, "a = 1\nrelayhost = x\n"),
        ("a = 1\nrelayhost = o\n# c\n\tld\nb = 2\n", {"relayhost": "x"}, "a = 1\nrelayhost = x\n# c\nb = 2\n"),
        ("relayhost = 1\n# c\nrelayhost = 2\n", {"relayhost": "x"}, "relayhost = x\n# c\n"),
        ("relayhost = 1\n\n# c\nb = 2\n", {"relayhost": None}, "\n# c\nb = 2\n"),
        ("b = 2\n", {"relayhost": "x", "b": None, "c": ""}, "relayhost = x\nc = \n"),
        ("#relayhost = 1\n", {"relayhost": "$x"}, "#relayhost = 1\nrelayhost = $x\n"),
    ],
)
def test_edit_keeps_comments_and_order(text: str, changes: dict[str, str | None], edited: str) -> None:
    """A value goes where its name stands first; comments stay, also those between a line and its continuation."""
    assert main_cf.edit(text, changes) == edited
