"""Replaces a lookup table of a running instance as a careful program does: each file by rename, the index first."""

from collections.abc import Mapping
from pathlib import Path

from testbed.postfix import Postfix

_SUFFIX = {"texthash": "", "hash": ".db", "cdb": ".cdb", "lmdb": ".lmdb"}
"""The suffix of an index, by the type of the table; texthash has none."""


def replace(postfix: Postfix, kind: str, path: Path, entries: Mapping[str, str]) -> str:
    """Write a table of type `kind` that only root can read; return its name, as in parameters."""
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_text("".join(f"{key} {value}\n" for key, value in entries.items()))
    fresh.chmod(0o600)
    suffix = _SUFFIX[kind]
    if suffix:
        postfix.command("postmap", f"{kind}:{fresh}")
        Path(f"{fresh}{suffix}").replace(f"{path}{suffix}")
    fresh.replace(path)
    return f"{kind}:{path}"
