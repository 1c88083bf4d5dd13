"""Random edits: random files, random commands, random passwords, against a model of its own.

What an edit does not concern stays to the octet, in its place; and Postfix reads back what was asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.amounts import Figures, amount

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

RELAYMAP = "postfix-relaymap.cf"
LOGINS = "postfix-sasl-password.cf"
#: Edits of one example, examples of one share, and shares, which run in parallel: ten thousand edits in a soak.
EDITS, EXAMPLES, SHARES = 10, amount(6, 250), 4
PROPERTY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

#: What is typed for a sender or a relay, and its key; and all spellings of a key that may stand in a file.
SENDERS = {
    "a.test": "@a.test",
    "@b.test": "@b.test",
    "A.Test": "@A.Test",
    "u@a.test": "u@a.test",
    "bücher.de": "@xn--bcher-kva.de",
}
RELAYS = {"[r.test]:587": "[r.test]:587", "[R.TEST]:587": "[R.TEST]:587", "r.test:25": "r.test:25"}
SPELLINGS = ("@a.test", "@A.TEST", "@b.test", "u@a.test", "U@A.test", "@c.test", "@bücher.de", "@xn--bcher-kva.de")
TYPED = {**SENDERS, **RELAYS}
BLANKS = " \t\r\v\f"

indents = st.sampled_from(["", "", "", " ", "\t "])
gaps = st.sampled_from([" ", "  ", "\t\t", " \t"])
ends = st.sampled_from(["", " ", "\t"])
comments = st.sampled_from(["", " ", "#", "# @a.test x:y", "  #@b.test", "#ä"])
#: Lines that the core takes, and lines that it does not.
mappings = st.sampled_from(["[r.test]:587", "[a.test]", "r.test:25", ""])
logins = st.sampled_from(["user:pass", "user:pa  ss # x", "x:ü\u2028", "u::"])
wrong = st.sampled_from(
    [b"@a.test \xff", b"\0", b"x\0@a.test", b"\xc3", b"[a.test", b"@a..b x:y", b"user:pass", b"  @A.test", b"\\"]
)
hosts = st.sampled_from(["r.test", "[s.test]", "127.0.0.1", "::1", "bücher.de"])
ports = st.sampled_from(["25", "587", "65535"])
users = st.sampled_from(["user", "user@a.test", "ü r", "#x", "-"])
#: Printable ASCII and UTF-8, blanks and what looks like an end of a line among them.
passwords = st.text(
    st.characters(min_codepoint=32, max_codepoint=126)
    | st.characters(exclude_categories=["Cs"])
    | st.sampled_from("\\&$1nt#: \t"),
    max_size=12,
)


class Edit(NamedTuple):
    """One command: its words, its file, the key that it is about and the value that is asked for; ``None``: no line."""

    words: list[str]
    name: str
    key: str
    value: str | None


def entry(key: str, indent: str, gap: str, value: str, end: str) -> bytes:
    """Return a line of a file."""
    return f"{indent}{key}{gap if value else ''}{value}{end}".encode()


def files(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[bytes, bool]]:
    """Return texts of files, and whether the core takes each of their lines."""
    good = st.builds(entry, st.sampled_from(SPELLINGS), indents, gaps, values, ends) | comments.map(str.encode)
    right, any_line = st.lists(good, max_size=8), st.lists(good | wrong, max_size=8)
    lines = right.map(lambda found: (found, True)) | any_line.map(lambda found: (found, False))
    end = st.sampled_from([b"\n", b"\n", b"\r\n"])
    return st.builds(
        lambda found, end, last: (end.join(found[0]) + (end if last else b""), found[1]), lines, end, st.booleans()
    )


def nexthop(host: str, port: str) -> str:
    """Return what must stand in the table for a host and a port."""
    bare = "xn--bcher-kva.de" if host == "bücher.de" else host.strip("[]")
    return f"[{bare}]:{port}"


edits = st.one_of(
    st.builds(
        lambda sender, host, port: Edit(
            ["add-domain", sender, host, port], RELAYMAP, SENDERS[sender], nexthop(host, port)
        ),
        st.sampled_from(sorted(SENDERS)),
        hosts,
        ports,
    ),
    st.sampled_from(sorted(set(SENDERS) - {"u@a.test"})).map(
        lambda sender: Edit(["exclude-domain", sender], RELAYMAP, SENDERS[sender], "")
    ),
    st.sampled_from(sorted(SENDERS)).map(
        lambda sender: Edit(["remove-domain", sender], RELAYMAP, SENDERS[sender], None)
    ),
    st.builds(
        lambda typed, user, password: Edit(
            ["add-auth", typed, user, "--", password], LOGINS, TYPED[typed], f"{user}:{password}"
        ),
        st.sampled_from(sorted(TYPED)),
        users,
        passwords,
    ),
    st.sampled_from(sorted(TYPED)).map(lambda typed: Edit(["remove-auth", typed], LOGINS, TYPED[typed], None)),
)


def same(key: str) -> str:
    """Return what all spellings of a key have in common."""
    return key.lower().replace("bücher", "xn--bcher-kva")


def key_of(line: bytes) -> str:
    """Return what a line's key has in common with its other spellings; empty for a line that has none."""
    text = line.decode("utf-8", "surrogateescape").strip(BLANKS + "\n")
    return "" if text.startswith("#") else same(re.split(r"[ \t]+", text)[0])


def lines_of(content: bytes) -> list[bytes]:
    """Return the lines with their ends; the last one may have none."""
    return re.findall(rb"[^\n]*\n|[^\n]+", content)


def own_lines(lines: list[bytes], edit: Edit) -> list[int]:
    """Return the numbers of the lines that an edit is about."""
    return [number for number, line in enumerate(lines) if key_of(line) == same(edit.key)]


def assert_only_entry_changed(before: list[bytes], after: list[bytes], edit: Edit) -> None:
    """Assert that the edit did what it is for, and nothing else."""
    own = own_lines(before, edit)
    others = [line for number, line in enumerate(before) if number not in own]
    if edit.value is None:
        assert after == others
        return
    place = own[0] if own else len(before)
    new = after.pop(place)
    text = f"{edit.key}  {edit.value}" if edit.value else edit.key
    assert new.removesuffix(b"\n").removesuffix(b"\r") == text.encode()
    assert new.endswith(b"\n")
    if own and before[place].endswith(b"\n"):
        assert new.endswith(b"\r\n") == before[place].endswith(b"\r\n")
    if not own and others and not others[-1].endswith(b"\n"):
        assert after.pop() in {others[-1] + b"\n", others[-1] + b"\r\n"}
        others.pop()
    assert after == others


def says_so(before: list[bytes], edit: Edit) -> bool:
    """Return True if one line says it already, whatever blanks are in it."""
    own = [before[number].decode("utf-8", "surrogateescape").removesuffix("\n") for number in own_lines(before, edit)]
    if edit.value is None or len(own) != 1:
        return not own and edit.value is None
    key, *value = re.split(r"[ \t]+", own[0].strip(BLANKS), maxsplit=1)
    return (
        own[0][:1] not in BLANKS and key.lower() == edit.key.lower() and (value or [""])[0].strip(BLANKS) == edit.value
    )


def can_be_carried(edit: Edit) -> bool:
    """Return True if Postfix's table can carry the password, and there is one."""
    password = edit.words[-1]
    return edit.words[0] != "add-auth" or (
        bool(password)
        and not set(password) & set("\r\n\0")
        and password[0] not in BLANKS
        and password[-1] not in BLANKS
    )


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("_share", range(SHARES))
def test_random_edits(sandbox: Sandbox, figures: Figures, _share: int) -> None:
    """Each edit changes its own key's lines and no others, or is refused; at the end Postfix has all that was asked for."""

    @PROPERTY
    @given(files(mappings), files(logins), st.lists(edits, min_size=EDITS, max_size=EDITS))
    def run(relaymap: tuple[bytes, bool], login_file: tuple[bytes, bool], commands: list[Edit]) -> None:
        for name, content in ((RELAYMAP, relaymap[0]), (LOGINS, login_file[0])):
            sandbox.write(name, content)
        asked: dict[str, dict[str, Edit]] = {RELAYMAP: {}, LOGINS: {}}
        for edit in commands:
            if one_edit(sandbox, edit):
                asked[edit.name][same(edit.key)] = edit
        if relaymap[1] and login_file[1]:
            read_back(sandbox, asked)
        figures(len(commands), "random edits: each changes its own lines, and Postfix reads them back")

    run()


def one_edit(sandbox: Sandbox, edit: Edit) -> bool:
    """Make one edit, and hold it to the model; say whether it was made."""
    path = sandbox.config_dir / edit.name
    before = path.read_bytes()
    words = [edit.words[0], "--no-apply", *edit.words[1:]]
    result = sandbox.run("--log-level", "error", *words)
    if not can_be_carried(edit):
        assert (result.code, path.read_bytes()) == (2, before)
        return False
    assert result.code == 0, result.err
    if says_so(lines_of(before), edit):
        assert (result.out[:18], path.read_bytes()) == ("no change needed: ", before)
        return True
    assert_only_entry_changed(lines_of(before), lines_of(path.read_bytes()), edit)
    return True


def read_back(sandbox: Sandbox, asked: dict[str, dict[str, Edit]]) -> None:
    """Have Postfix read the tables, and compare them with what was asked for last of each key."""
    result = sandbox.run("--log-level", "error", "apply")
    assert result.code == 0, result.err
    for name, table in ((RELAYMAP, "relayhost_map"), (LOGINS, "sasl_passwd")):
        found = {same(key): value for key, value in (sandbox.table(table) or {}).items()}
        for key, edit in asked[name].items():
            assert found.get(key) == (edit.value or None)
