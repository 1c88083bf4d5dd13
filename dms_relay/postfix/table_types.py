"""The types of lookup tables that we write (DATABASE_README), and which type a table gets. Pure.

A small table is ``texthash:``, a text that each process loads as a whole. A big one is indexed: postmap(1) builds a second
file from the text, ``NAME.cdb`` or ``NAME.lmdb``, which processes open without loading it. The text stays beside it, by
Postfix's own convention: operators can read it, and ``apply`` compares it with what is wanted.

To add a type of table, add a line to ``PACKAGES``. Its index must be one file with the type as suffix, and lookups must
ignore the case of keys, as ``texthash:`` does. docs/rules.md, "Big tables", has the measurements behind the order.
"""

from __future__ import annotations

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TEXTHASH = "texthash"
#: The indexed types, the preferred one first, each with its Debian package.
PACKAGES = {"cdb": "postfix-cdb", "lmdb": "postfix-lmdb"}
#: The values of RELAY_TABLES.
TABLE_TYPES = (TEXTHASH, *PACKAGES)
#: A table with this many keys gets an index. As a texthash, it costs each smtp(8) process 23 ms and 2.6 MiB (measured).
INDEXED_FROM = 10_000
#: The directory beside main.cf in which indexes are built; it exists only meanwhile.
WORKSHOP = ".dms-relay.index"


@frozen
class TypesAnswer:
    """The indexed table types that Postfix has, and stamps, by path, of the files on which the answer depends."""

    names: tuple[str, ...]
    files: dict[str, str]


class TableTypes:
    """The indexed table types that Postfix has: asked when first needed, and only once.

    All values are equal: the answer is no part of a comparison.
    """

    def __init__(self, ask: Callable[[], TypesAnswer] = lambda: TypesAnswer((), {})) -> None:
        """Store the function to ask."""
        self._ask = ask
        self._answer: TypesAnswer | None = None

    def __eq__(self, other: object) -> bool:
        """Return True for any other."""
        return isinstance(other, TableTypes)

    def __hash__(self) -> int:
        """Return the same for all."""
        return 0

    @property
    def answer(self) -> TypesAnswer:
        """Postfix's answer. Raises ``PostfixError``."""
        if self._answer is None:
            self._answer = self._ask()
        return self._answer


def index_name(table: str, table_type: str) -> str:
    """Return the name of the file that postmap(1) builds for a table."""
    return f"{table}.{table_type}"


def split_index(name: str) -> tuple[str, str]:
    """Return the table of an index, and the index's type; the type is ``""`` if the name is a table's own."""
    table, _, table_type = name.rpartition(".")
    return (table, table_type) if table_type in PACKAGES else (name, "")


def with_indexes(tables: Iterable[str]) -> list[str]:
    """Return each table and each index that can be beside it, the table first."""
    return [name for table in tables for name in (table, *(index_name(table, kind) for kind in PACKAGES))]


def retyped(value: str, table_type: str) -> str:
    """Return a list of lookup tables with the type of its first one, a managed texthash, replaced."""
    return table_type + value.removeprefix(TEXTHASH)
