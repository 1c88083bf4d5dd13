"""Texts that are made from the parser, by ``make generated``; a test holds them to it. Never edited by hand."""

from __future__ import annotations

from pathlib import Path


def text_of(name: str) -> str:
    """Return one of the texts, without its last line end."""
    return (Path(__file__).parent / name).read_text("utf-8").removesuffix("\n")
