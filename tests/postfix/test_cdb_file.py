"""Tables of type ``cdb:`` are listed as Postfix wrote them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dms_relay.errors import PostfixError
from dms_relay.postfix.cdb_file import entries

TEXT = "a.test relay:[h.test]:587\n@b.test x y  z\nü@c.test ä\n"


def test_what_postmap_wrote(tmp_path: Path) -> None:
    """Every entry comes back, in its order; a key is without letter case, as Postfix looks it up."""
    if shutil.which("postmap") is None:
        pytest.skip("no postmap")
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    (tmp_path / "table").write_text(TEXT.replace("a.test", "A.test", 1))
    done = subprocess.run(
        ["postmap", "-c", str(tmp_path), f"cdb:{tmp_path}/table"], capture_output=True, text=True, check=False
    )
    if "unsupported dictionary type" in done.stderr:
        pytest.skip("this Postfix has no cdb")
    assert done.returncode == 0, done.stderr
    assert [" ".join(entry) for entry in entries(tmp_path / "table.cdb")] == TEXT.splitlines()


@pytest.mark.parametrize("content", [b"", b"\0", b"x" * 2047, b"\xff" * 2048])
def test_not_such_a_table(tmp_path: Path, content: bytes) -> None:
    """A file of another kind is an error that names it."""
    (tmp_path / "t.cdb").write_bytes(content)
    with pytest.raises(PostfixError, match=r"t\.cdb is not a table of type cdb"):
        entries(tmp_path / "t.cdb")


def test_missing(tmp_path: Path) -> None:
    """So is one that is not there."""
    with pytest.raises(PostfixError, match="No such file"):
        entries(tmp_path / "t.cdb")
