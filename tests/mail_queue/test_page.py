"""docs/queue.md names every reason."""

from __future__ import annotations

from pathlib import Path

from dms_relay.mail_queue.delays import What

PAGE = (Path(__file__).parents[2] / "docs/queue.md").read_text("utf-8")


def test_every_reason_is_there() -> None:
    """The table has each class, and no other."""
    _, _, table = PAGE.partition("| reason | what it is |\n| --- | --- |\n")
    rows = [line for line in table.partition("\n\n")[0].splitlines()]
    named = [name.strip() for row in rows for name in row.split("|")[1].split(", ")]
    assert sorted(named) == sorted(What)
