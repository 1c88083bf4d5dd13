"""What is remembered from run to run, so that a later run can put back what was there before. Pure but for ``remember``.

For each parameter and table that we ever set: what stood there before, and every value that we gave it and that may still
stand there. Two may, after a run that was cut short; when a run is complete it is one. The file may hold a login that
stood in main.cf or in a table before us, so it is 0600, beside the tables.
"""

from __future__ import annotations

import json

from dms_relay import files
from dms_relay.errors import WriteError
from dms_relay.model import MECHANISM_FILTER, PARAMETERS, TRANSPORT_PARAMETERS
from dms_relay.model.values import field, frozen, replace
from dms_relay.postfix.table_types import TypesAnswer, split_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

#: Version of the file's format: what an older one cannot say makes it a newer, so that a previous dms-relay refuses it.
VERSIONS = FIRST_VERSION, SERVICES_VERSION, INDEXES_VERSION, OWN_VERSION = 1, 2, 3, 4
#: Characters that are compared at once.
PART = 1 << 20
#: What a file of the first version can speak of.
FIRST_PARAMETERS = frozenset(PARAMETERS) - {*TRANSPORT_PARAMETERS, MECHANISM_FILTER}
#: What a file of the versions before the last can speak of.
_MANAGED = frozenset(PARAMETERS) - {MECHANISM_FILTER}
_MODE = 0o600
_MOVE_AWAY = "move the file away; Postfix keeps its present settings"


@frozen
class TableFile:
    """A table as a file: its octets, its permission bits and its owner. Of a link, ``content`` is where it points.

    Of an index that postmap(1) makes, ``content`` is the text that it is made of, and ``index`` its type.
    """

    content: bytes = field(repr=False)
    mode: int
    uid: int
    gid: int
    is_link: bool = False
    index: str = ""


def octets(text: str, found: TableFile | None) -> bytes:
    """Return a text as octets: those that were found, where they are the same, so that a big table is not there twice."""
    if found:
        place = 0
        for part in (text[at : at + PART].encode() for at in range(0, len(text), PART)):
            if found.content[place : place + len(part)] != part:
                return text.encode()
            place += len(part)
        if place == len(found.content):
            return found.content
    return text.encode()


@frozen
class ManagedParameter:
    """A managed parameter: its value ``before`` dms-relay (``None``: not set) and the values that we gave it."""

    before: str | None = field(repr=False)
    values: tuple[str, ...] = field(repr=False)


@frozen
class ConfigDir:
    """The configuration directory of a run: its number (``found.py``), 0 where it is not there; and if an input is in it."""

    path: str = ""
    number: int = 0
    has_inputs: bool = False


@frozen
class State:
    """All that is remembered. ``reload_due`` says that a running Postfix has not yet been told of a change.

    ``services`` are those of master.cf that we made: there was none of that name before. ``indexes`` says how each index
    and its text looked when it had been made (``found.stamp``): what looks otherwise was changed since. ``types`` is what
    Postfix said of its table types, where that mattered. ``service_parameters`` are those of ``postfix-master.cf``, by their
    keys, with the words that stand behind ``-o`` in place of values. ``config_dir`` is where the last run has read;
    ``None``: an older dms-relay did not say. ``token_tables`` are the password tables of access tokens.
    """

    parameters: dict[str, ManagedParameter] = field(default_factory=dict)
    tables: dict[str, TableFile | None] = field(default_factory=dict)
    reload_due: bool = False
    services: frozenset[str] = frozenset()
    indexes: dict[str, str] = field(default_factory=dict)
    types: TypesAnswer | None = None
    service_parameters: dict[str, ManagedParameter] = field(default_factory=dict)
    config_dir: ConfigDir | None = None
    token_tables: frozenset[str] = frozenset()

    def in_directory(self, directory: ConfigDir) -> State:
        """Return the same with where the inputs were read, if there is anything to remember and that is known."""
        return self if self.is_empty or not directory.path else replace(self, config_dir=directory)

    @property
    def is_empty(self) -> bool:
        """Return True if there is nothing to remember."""
        return not (self.parameters or self.tables or self.reload_due or self.services or self.service_parameters)


def dump(state: State) -> bytes:
    """Return the file's content."""
    services = {"services": sorted(state.services)} if state.services else {}
    indexes = {"indexes": state.indexes, "types": _types(state)} if _is_newest(state) else {}
    own = {"service_parameters": _dump_parameters(state.service_parameters)} if state.service_parameters else {}
    document = {
        "version": _version(state),
        **services,
        **indexes,
        **own,
        **({"token_tables": sorted(state.token_tables)} if state.token_tables else {}),
        **(_dump_directory(state.config_dir) if state.config_dir else {}),
        "reload_due": state.reload_due,
        "parameters": _dump_parameters(state.parameters),
        "tables": {name: _dump_table(table) for name, table in state.tables.items()},
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode("ascii")


def _dump_directory(directory: ConfigDir) -> dict[str, Any]:
    """Return it as an older dms-relay reads it, which leaves it out."""
    return {"config_dir": [directory.path, directory.number, directory.has_inputs]}


def _load_directory(found: list[Any] | None) -> ConfigDir | None:
    return ConfigDir(str(found[0]), int(found[1]), bool(found[2])) if found else None


def _dump_parameters(given: dict[str, ManagedParameter]) -> dict[str, Any]:
    return {name: {"before": own.before, "values": list(own.values)} for name, own in given.items()}


def _load_parameters(document: dict[str, Any]) -> dict[str, ManagedParameter]:
    return {name: ManagedParameter(own["before"], tuple(own["values"])) for name, own in document.items()}


def _version(state: State) -> int:
    if state.service_parameters or not state.parameters.keys() <= _MANAGED:
        return OWN_VERSION
    if _is_newest(state):
        return INDEXES_VERSION
    is_first = not state.services and state.parameters.keys() <= FIRST_PARAMETERS
    return FIRST_VERSION if is_first else SERVICES_VERSION


def _types(state: State) -> dict[str, Any] | None:
    return {"names": state.types.names, "files": state.types.files} if state.types else None


def _is_newest(state: State) -> bool:
    return bool(state.indexes or state.types or any(split_index(name)[1] for name in state.tables))


def _dump_table(table: TableFile | None) -> dict[str, Any] | None:
    if table is None:
        return None
    rights = {"mode": table.mode, "uid": table.uid, "gid": table.gid}
    return {"content": table.content.decode("latin-1"), "link": table.is_link, **rights}


def load(data: bytes | None, name: str) -> State:
    """Read the file's content; ``None`` is no file. Raises ``WriteError`` where it is not ours to understand."""
    if data is None:
        return State()
    try:
        document = json.loads(data)
        if document["version"] not in VERSIONS:
            raise WriteError(
                f"{name} was written by another version of dms-relay", f"use that version, or {_MOVE_AWAY}"
            )
        return _load(document)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise WriteError(f"{name} is damaged, so the previous settings of Postfix are not known", _MOVE_AWAY) from None


def _load(document: Any) -> State:  # noqa: ANN401 -- whatever JSON holds
    return State(
        parameters=_load_parameters(document["parameters"]),
        tables={name: _load_table(table) for name, table in document["tables"].items()},
        reload_due=bool(document["reload_due"]),
        services=frozenset(map(str, document.get("services", ()))),
        indexes={str(name): str(stamp) for name, stamp in document.get("indexes", {}).items()},
        types=_load_types(document.get("types")),
        service_parameters=_load_parameters(document.get("service_parameters", {})),
        config_dir=_load_directory(document.get("config_dir")),
        token_tables=frozenset(map(str, document.get("token_tables", ()))),
    )


def _load_types(types: dict[str, Any] | None) -> TypesAnswer | None:
    if types is None:
        return None
    return TypesAnswer(tuple(map(str, types["names"])), {str(n): str(s) for n, s in types["files"].items()})


def _load_table(table: dict[str, Any] | None) -> TableFile | None:
    if table is None:
        return None
    content = table["content"].encode("latin-1")
    return TableFile(content, table["mode"], table["uid"], table["gid"], table["link"])


def without(text: str, given: Mapping[str, ManagedParameter]) -> str:
    """Return master.cf with each of these parameters as it was before us, but where somebody has changed it since."""
    from dms_relay.postfix.service_parameters import with_words, words  # noqa: PLC0415 -- only where an operator has such

    found = words(text, given)
    return with_words(text, {key: given[key].before for key, word in found.items() if word in given[key].values})


def remember(path: Path, old: State, new: State, owner: tuple[int, int]) -> None:
    """Write what is remembered, where it is another than before; nothing to remember is no file."""
    if new == old:
        return
    if new.is_empty:
        files.remove(path)
    else:
        files.replace(path, dump(new), _MODE, owner)
