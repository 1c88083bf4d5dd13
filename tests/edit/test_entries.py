"""One entry of a ``.cf`` file is set or removed: what becomes of its lines, and that nothing becomes of the others."""

from __future__ import annotations

import pytest

from dms_relay.edit.entries import remove_entry, set_entry
from dms_relay.postfix.nexthop import SyntaxProblem

R = "[r.test]:25"
#: Name, text before, key, value, text after.
SET = [
    ("nothing there", "", "@a.test", R, "@a.test  [r.test]:25\n"),
    ("an opt-out", "", "@a.test", "", "@a.test\n"),
    ("at the end", "@b.test x\n", "@a.test", R, "@b.test x\n@a.test  [r.test]:25\n"),
    ("behind a line without its end", "@b.test x", "@a.test", R, "@b.test x\n@a.test  [r.test]:25\n"),
    ("behind a line with half its end", "@b.test x\r", "@a.test", R, "@b.test x\r\n@a.test  [r.test]:25\n"),
    ("behind a comment without its end", "# x", "@a.test", R, "# x\n@a.test  [r.test]:25\n"),
    ("in its place", "#\n@a.test x\n\n@b.test y\n", "@a.test", R, "#\n@a.test  [r.test]:25\n\n@b.test y\n"),
    ("a comment with the same key", "#@a.test x\n  # @a.test\n", "@a.test", "", "#@a.test x\n  # @a.test\n@a.test\n"),
    ("in any letter case", "@A.Test x\n", "@a.test", R, "@a.test  [r.test]:25\n"),
    ("indented", "@b.test x\n \t@a.test y\n@c.test z\n", "@a.test", R, "@b.test x\n@a.test  [r.test]:25\n@c.test z\n"),
    ("all of its lines", "@a.test\n# c\n@a.test x\n @A.TEST y\n", "@a.test", R, "@a.test  [r.test]:25\n# c\n"),
    (
        "a longer key",
        "@a.test.de x\nu@a.test y\na.test z\n",
        "@a.test",
        "",
        "@a.test.de x\nu@a.test y\na.test z\n@a.test\n",
    ),
    ("an address", "@a.test x\n", "u@a.test", R, "@a.test x\nu@a.test  [r.test]:25\n"),
    ("the null sender", "<> x\n", "<>", R, "<>  [r.test]:25\n"),
    ("a nexthop", "[R.test]:25 a:b\n", "[r.test]:25", "u:p", "[r.test]:25  u:p\n"),
    ("Windows line ends", "@b.test x\r\n@a.test y\r\n", "@a.test", R, "@b.test x\r\n@a.test  [r.test]:25\r\n"),
    ("Windows line ends, at the end", "@b.test x\r\n", "@a.test", R, "@b.test x\r\n@a.test  [r.test]:25\r\n"),
    ("Windows, last without", "# c\r\n@b.test x", "@a.test", R, "# c\r\n@b.test x\r\n@a.test  [r.test]:25\r\n"),
    ("in place of a last line without its end", "@b x\r\n@a.test y", "@a.test", "", "@b x\r\n@a.test\r\n"),
    ("a byte order mark", "\ufeff@a.test x\n", "@a.test", R, "\ufeff@a.test  [r.test]:25\n"),
    ("a byte order mark alone", "\ufeff", "@a.test", R, "\ufeff@a.test  [r.test]:25\n"),
    ("an internationalised name", "@bücher.de x\n", "@xn--bcher-kva.de", R, "@xn--bcher-kva.de  [r.test]:25\n"),
    ("blanks of other scripts", "@a.test\u00a0x\n", "@a.test", "", "@a.test\u00a0x\n@a.test\n"),
    (
        "separators of other scripts",
        "# \u2028@a.test x\x0b\x1c\x85\n",
        "@a.test",
        "",
        "# \u2028@a.test x\x0b\x1c\x85\n@a.test\n",
    ),
]
#: Name, text, key, value: the text says so already.
ALREADY = [
    ("to the letter", "@a.test  [r.test]:25\n", "@a.test", R),
    ("other blanks between", "@a.test \t [r.test]:25 \t\n", "@a.test", R),
    ("other letter case of the key", "@A.test [r.test]:25\n", "@a.test", R),
    ("without its end", "@a.test [r.test]:25", "@a.test", R),
    ("with a Windows line end", "@a.test [r.test]:25\r\n", "@a.test", R),
    ("behind a byte order mark", "\ufeff@a.test [r.test]:25\n", "@a.test", R),
    ("an opt-out", "@a.test\n", "@a.test", ""),
    ("an opt-out with a blank", "@a.test \r\n", "@a.test", ""),
]
REMOVE = [
    ("its line", "# c\n@a.test x\n\n", "@a.test", "# c\n\n"),
    ("all of its lines", "@a.test\n#\n @A.test x\n@b.test y", "@a.test", "#\n@b.test y"),
    ("the last one, without its end", "@b.test y\n@a.test x", "@a.test", "@b.test y\n"),
    ("none", "@b.test @a.test\n", "@a.test", "@b.test @a.test\n"),
    ("behind a byte order mark", "\ufeff@a.test x\n@b.test y\n", "@a.test", "\ufeff@b.test y\n"),
]


@pytest.mark.parametrize(("before", "key", "value", "after"), [c[1:] for c in SET], ids=[c[0] for c in SET])
def test_set(before: str, key: str, value: str, after: str) -> None:
    """One line of the key is left, in the place of the first; a second time, nothing changes any more."""
    assert set_entry(before.encode(), key, value).decode() == after
    assert set_entry(after.encode(), key, value).decode() == after


@pytest.mark.parametrize(("text", "key", "value"), [c[1:] for c in ALREADY], ids=[c[0] for c in ALREADY])
def test_already_so(text: str, key: str, value: str) -> None:
    """A line that means the same is left as somebody wrote it."""
    assert set_entry(text.encode(), key, value).decode() == text


def test_an_indented_line_is_no_good_line() -> None:
    """Postfix takes it for the continuation of the line before, so it is written again, though it says the same."""
    assert set_entry(b"#\n @a.test [r.test]:25\n", "@a.test", R) == b"#\n@a.test  [r.test]:25\n"


@pytest.mark.parametrize(("before", "key", "after"), [c[1:] for c in REMOVE], ids=[c[0] for c in REMOVE])
def test_remove(before: str, key: str, after: str) -> None:
    """No line of the key is left, and all others stand."""
    assert remove_entry(before.encode(), key).decode() == after


def test_what_is_not_text_stays() -> None:
    """Lines of other keys need not be right: octets that are not UTF-8 and NUL stay as they are."""
    wrong = b"@b.test \xff\x00\r x\n\xfe@a.test y\n"
    assert set_entry(wrong, "@a.test", "u:p") == wrong + b"@a.test  u:p\n"
    assert remove_entry(wrong, "@a.test") == wrong


def test_a_wrong_line_of_the_key_is_corrected() -> None:
    """What stands on a line of the key goes, also where it is no text."""
    assert set_entry(b"@a.test \xff\x00\n", "@a.test", "u:p") == b"@a.test  u:p\n"


@pytest.mark.parametrize(("content", "what"), [(b"\xff\xfe@\0", "is UTF-16"), (b"\xfe\xff\0@", "is UTF-16")])
def test_utf_16(content: bytes, what: str) -> None:
    """A file in UTF-16 is not added to: it would be neither the one nor the other."""
    with pytest.raises(SyntaxProblem) as caught:
        set_entry(content, "@a.test", "u:p")
    assert (caught.value.text, caught.value.remedy) == (what, "save it as UTF-8")


@pytest.mark.parametrize("key", ["@a.test", "@A.test"])
def test_carriage_returns_alone_as_line_ends(key: str) -> None:
    """What is one line to us is several to the one who wrote it: it is not replaced or removed."""
    content = b"# c\n@a.test x\r@b.test y\r"
    for value in ("u:p", None):
        with pytest.raises(SyntaxProblem) as caught:
            remove_entry(content, key) if value is None else set_entry(content, key, value)
        assert caught.value.text == "line 2 contains a carriage return in the middle"
    assert set_entry(content, "@c.test", "u:p") == content + b"\n@c.test  u:p\n"
