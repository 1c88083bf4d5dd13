"""Reads what the machine has now: main.cf's parameters, our tables, and our state file. Never writes."""

from __future__ import annotations

import os
import stat
import sys
from errno import EACCES

from dms_relay import files
from dms_relay.errors import WriteError
from dms_relay.files.content import TABLE_MAX, read_whole
from dms_relay.model import RELAY_DIRECTORY, TABLES
from dms_relay.model.values import field, frozen
from dms_relay.plan.state import ConfigDir, State, TableFile, load, without
from dms_relay.postfix import main_cf, master_cf
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.table_types import WORKSHOP, TableTypes, split_index, with_indexes
from dms_relay.sources.near_files import INPUTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.model import Paths
    from dms_relay.postfix.table_types import TypesAnswer

#: Bits of an inode number (ino_t).
_INODE_BITS = 64
#: The remedy if this user may not read something.
AS_ROOT = "run as root"
#: Where Cyrus SASL first looks for our plugin for XOAUTH2 and OAUTHBEARER on Debian (``postfix.sasl_plugin``).
PLUGIN = f"/usr/lib/{getattr(sys.implementation, '_multiarch', '')}/sasl2/libdmsrelayoauth2.so"


@frozen
class Found:
    """The present configuration of Postfix, and our state.

    ``owner`` is the user and group ID for the files that we write; ``leftovers`` are files of a killed run; ``is_public``:
    every user may read main.cf. ``services`` are those of master.cf with names like ours; ``chroot`` is that field of
    ``smtp``. ``local`` maps each domain that main.cf names as its own to the parameter. ``types`` answers which table types
    Postfix has. ``master`` is master.cf without the settings from ``postfix-master.cf``, and ``words`` are these settings as
    they are there now (``own.py``). ``has_token_plugin``: Cyrus SASL has a client for access tokens.
    """

    parameters: dict[str, str] = field(default_factory=dict, repr=False)
    tables: dict[str, TableFile] = field(default_factory=dict)
    state: State = field(default_factory=State)
    owner: tuple[int, int] = (0, 0)
    leftovers: tuple[Path, ...] = ()
    is_public: bool = False
    services: dict[str, master_cf.MasterCfEntry] = field(default_factory=dict)
    chroot: str = "n"
    local: dict[str, str] = field(default_factory=dict)
    types: TableTypes = field(default_factory=TableTypes)
    master: str = field(default="", repr=False)
    words: dict[str, str] = field(default_factory=dict, repr=False)
    config_dir: ConfigDir = field(default_factory=ConfigDir)
    has_token_plugin: bool = False


def find(paths: Paths) -> Found:
    """Return parameters, tables and state, as read now.

    Raises ``MissingInputError`` if main.cf cannot be read, ``PostfixError`` if master.cf cannot, ``WriteError`` if a table
    or the state file cannot.
    """
    postfix = Postfix(paths.postfix_dir)
    parameters = main_cf.values(postfix.read_main_cf())
    state_file = _read(paths.state)
    state = load(state_file.content if state_file else None, str(paths.state))
    services = postfix.read_master_cf() if paths.master_cf.exists() else ""
    words: dict[str, str] = {}
    if state.service_parameters:
        from dms_relay.postfix import service_parameters as own  # noqa: PLC0415 -- only if an operator has any

        words = own.words(services, state.service_parameters)
        services = without(services, state.service_parameters)
    return Found(
        parameters=parameters,
        tables=_tables(paths, state),
        state=state,
        owner=(os.geteuid(), os.getegid()),
        leftovers=leftovers(paths),
        config_dir=_config_dir(paths, state),
        services=master_cf.services(services),
        chroot=master_cf.chroot(services),
        local=main_cf.local_domains(parameters),
        is_public=bool(paths.main_cf.stat().st_mode & stat.S_IROTH),
        master=services,
        words=words,
        has_token_plugin=has_token_plugin(parameters),
        types=TableTypes(lambda: _ask_types(postfix, parameters, state.types)),
    )


def has_token_plugin(parameters: dict[str, str]) -> bool:
    """Return True if smtp(8) finds our plugin; on Debian this is quick unless main.cf sets the environment."""
    if "import_environment" not in parameters:
        if os.path.isfile(PLUGIN):  # noqa: PTH113 -- names
            return True
        if os.path.isdir(PLUGIN.rpartition("/")[0]):  # noqa: PTH112 -- the same
            return False
    from dms_relay.postfix.sasl_plugin import is_there  # noqa: PLC0415 -- rarely needed

    return is_there(parameters.get("import_environment", ""))


def _config_dir(paths: Paths, state: State) -> ConfigDir:
    """Return the configuration directory; if the last run knew the same directory by another name, under that name."""
    path, last = str(paths.config_dir), state.config_dir
    try:
        number = paths.config_dir.stat().st_ino
        system = os.statvfs(paths.config_dir).f_fsid
    except OSError:
        return ConfigDir(path)
    if last and last.path != path and _is_same(last.path, path):
        path = last.path
    # Roots of file systems of one type share an inode number, so add the file system's ID. That ID survives a remount
    # (statfs(2)), which a device number may not; it is 0 if there is none.
    number |= system << _INODE_BITS
    return ConfigDir(path, number, any(os.path.lexists(f"{path}/{name}") for name in INPUTS))


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121 -- names
    except OSError:
        return False


def leftovers(paths: Paths) -> tuple[Path, ...]:
    """Return the files that a killed run left behind."""
    written = [paths.state, paths.main_cf, paths.master_cf, *map(paths.table, with_indexes(TABLES))]
    temporary = [
        Postfix(paths.postfix_dir).temporary,
        paths.postfix_dir / WORKSHOP,
        *map(files.temporary_name, written),
        *_temporary_tables(paths),
    ]
    return tuple(path for path in temporary if os.path.lexists(path))


def _tables(paths: Paths, state: State) -> dict[str, TableFile]:
    """Return each table, and each index with the text that it was built from, if that is known."""
    tables: dict[str, TableFile] = {}
    for name in (*with_indexes(TABLES), *_relay_tables(paths)):
        source, index = split_index(name)
        text = tables.get(source)
        if index and text and name in state.indexes and state.indexes[name] == stamp(paths, name):
            # Unchanged since we built it: so it was built from the text beside it, and both have the same permissions.
            tables[name] = TableFile(text.content, text.mode, text.uid, text.gid, index=index)
        elif table := _read(paths.table(name)):
            tables[name] = table
    return tables


def stamp(paths: Paths, name: str) -> str:
    """Return a stamp of an index and its text, from their metadata: writing to either changes it.

    A digest would be a secret, and would need to read the whole file at each run. ctime cannot be set back.
    """
    return " ".join(files.stamp(paths.table(part)) for part in (split_index(name)[0], name))


def _ask_types(postfix: Postfix, parameters: dict[str, str], known: TypesAnswer | None) -> TypesAnswer:
    from dms_relay.postfix.index_files import ask_types  # noqa: PLC0415 -- only where a table is big

    return ask_types(postfix, parameters, known)


def _relay_tables(paths: Paths) -> list[str]:
    """Return the name of each file in the directory of tables, links included."""
    directory = paths.relay_directory
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise WriteError(f"{directory} is not a directory", "remove it")
    found = directory.iterdir() if directory.is_dir() else ()
    return sorted(f"{RELAY_DIRECTORY}/{path.name}" for path in found if not path.name.startswith("."))


def _temporary_tables(paths: Paths) -> list[Path]:
    try:
        names = os.listdir(paths.relay_directory)  # noqa: PTH208 -- glob's patterns take longer to compile than all of this
    except OSError:
        return []
    return [paths.relay_directory / name for name in names if files.is_temporary_name(name)]


def _read(path: Path) -> TableFile | None:
    """Return a file, or a link as itself: its target is not ours to read, replace or put back."""
    try:
        status = path.lstat()
        is_link = stat.S_ISLNK(status.st_mode)
        if not is_link and not stat.S_ISREG(status.st_mode):
            raise WriteError(f"{path} is not a file", "remove it")
        content = os.fsencode(path.readlink()) if is_link else read_whole(path, TABLE_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        remedy = AS_ROOT if error.errno == EACCES else "repair the file, or remove it"
        raise WriteError(f"{path} cannot be read: {error.strerror}", remedy, errno=error.errno) from None
    return TableFile(content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, is_link)
