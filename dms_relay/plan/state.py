"""The state kept from run to run, so that a later run can put back what was there before. Pure except ``remember``.

For each parameter and table that we ever set, it has the value from before us, and every value of ours that may be there
now: two after an interrupted run, one after a complete run. The file may hold a login that was in main.cf or in a table
before us, so it is 0600, beside the tables.
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

#: Versions of the file's format. A file gets the lowest that can hold its content; an older dms-relay refuses a higher one.
VERSIONS = FIRST_VERSION, SERVICES_VERSION, INDEXES_VERSION, OWN_VERSION = 1, 2, 3, 4
#: Characters compared at once.
PART = 1 << 20
#: Parameters that a file of the first version can contain.
FIRST_PARAMETERS = frozenset(PARAMETERS) - {*TRANSPORT_PARAMETERS, MECHANISM_FILTER}
#: Parameters that a file of a version before the last can contain.
_MANAGED = frozenset(PARAMETERS) - {MECHANISM_FILTER}
_MODE = 0o600
_MOVE_AWAY = "move the file away; Postfix keeps its present settings"


@frozen
class TableFile:
    """A table as a file: its octets, its permission bits and its owner. For a link, ``content`` is its target.

    For an index that postmap(1) builds, ``content`` is the text that it is built from, and ``index`` is its type.
    """

    content: bytes = field(repr=False)
    mode: int
    uid: int
    gid: int
    is_link: bool = False
    index: str = ""


def octets(text: str, found: TableFile | None) -> bytes:
    """Return a text as octets; if equal, the very octets that were found, so that a big table is in memory only once."""
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
    """A managed parameter: its value ``before`` dms-relay (``None``: not set) and the values that we have set."""

    before: str | None = field(repr=False)
    values: tuple[str, ...] = field(repr=False)


@frozen
class ConfigDir:
    """The configuration directory of a run: its number (``found.py``), 0 if it does not exist; and if it has an input."""

    path: str = ""
    number: int = 0
    has_inputs: bool = False


@frozen
class State:
    """Everything that is remembered. ``reload_due``: a running Postfix has not yet been told of a change.

    ``services`` are those that we added to master.cf: there was none of that name before. ``indexes`` are the stamps of each
    index and its text when it was built (``found.stamp``): with another stamp, it was changed since. ``types`` is Postfix's
    answer about its table types, if that mattered. ``service_parameters`` are those of ``postfix-master.cf``, by their keys,
    with the arguments of ``-o`` as values. ``config_dir`` is the directory that the last run read; ``None``: an older
    dms-relay did not record it. ``token_tables`` are the password tables of access tokens.
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
        """Return the same with the directory of the inputs, if that is known and there is anything to remember."""
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
    """Return the directory in a form that an older dms-relay ignores."""
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
    """Return the state from the file's content; ``None`` means no file. Raises ``WriteError`` if it cannot be parsed."""
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
    """Return master.cf with each of these parameters as before us, except those that somebody has changed since."""
    from dms_relay.postfix.service_parameters import with_words, words  # noqa: PLC0415 -- only if an operator has any

    found = words(text, given)
    return with_words(text, {key: given[key].before for key, word in found.items() if word in given[key].values})


def remember(path: Path, old: State, new: State, owner: tuple[int, int]) -> None:
    """Write the state if it has changed; remove the file if there is nothing to remember."""
    if new == old:
        return
    if new.is_empty:
        files.remove(path)
    else:
        files.replace(path, dump(new), _MODE, owner)
