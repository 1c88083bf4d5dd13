"""The types of lookup tables that we write (DATABASE_README), and which of them a table is to have. Pure.

A small table is ``texthash:``, a text that each process loads as a whole. A big one is indexed: postmap(1) makes a second
file of the text, ``NAME.cdb`` or ``NAME.lmdb``, which is opened without being read. The text stays beside it, as Postfix's
own convention has it: operators can read it, and ``apply`` compares it with what is wanted.

A new type of table is a line in ``PACKAGES``. Its index must be one file that is called as the type is, and lookups must
take keys without case, as ``texthash:`` does. docs/rules.md, "Big tables", has the measurements behind the order.
"""

from __future__ import annotations

from dms_relay.model.values import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TEXTHASH = "texthash"
#: The indexed types, the one that we prefer first, each with the Debian package that Postfix has it from.
PACKAGES = {"cdb": "postfix-cdb", "lmdb": "postfix-lmdb"}
#: What RELAY_TABLES can be.
TABLE_TYPES = (TEXTHASH, *PACKAGES)
#: Keys from which a table is indexed. A texthash of as many costs each smtp(8) process 23 ms and 2.6 MiB (measured).
INDEXED_FROM = 10_000
#: The directory beside main.cf in which indexes are made; only there while one is.
WORKSHOP = ".dms-relay.index"


@frozen
class TypesAnswer:
    """The indexed table types that Postfix has, and how what that follows from looked when it was asked, by path."""

    names: tuple[str, ...]
    files: dict[str, str]


class TableTypes:
    """The indexed table types that Postfix has: asked when somebody wants to know, and only once.

    All are equal: what would be answered is no part of a comparison.
    """

    def __init__(self, ask: Callable[[], TypesAnswer] = lambda: TypesAnswer((), {})) -> None:
        """Take whom to ask."""
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
        """What Postfix says. Raises ``PostfixError``."""
        if self._answer is None:
            self._answer = self._ask()
        return self._answer


def index_name(table: str, table_type: str) -> str:
    """Name the file that postmap(1) makes of a table."""
    return f"{table}.{table_type}"


def split_index(name: str) -> tuple[str, str]:
    """Return the table that an index is made of, and its type; the type is empty where the name is a table's own."""
    table, _, table_type = name.rpartition(".")
    return (table, table_type) if table_type in PACKAGES else (name, "")


def with_indexes(tables: Iterable[str]) -> list[str]:
    """Name each table and each index that can stand beside it, the table first."""
    return [name for table in tables for name in (table, *(index_name(table, kind) for kind in PACKAGES))]


def retyped(value: str, table_type: str) -> str:
    """Return a list of lookup tables whose first one, a managed texthash, has another type."""
    return table_type + value.removeprefix(TEXTHASH)
