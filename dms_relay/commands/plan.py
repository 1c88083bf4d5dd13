"""``dms-relay plan``: what ``apply`` would change, as a unified diff. Writes nothing; passwords are masked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dms_relay.commands.apply import may_stay, nothing
from dms_relay.mask import lines_of, mask_login_table, mask_parameters, mask_versions, mask_word
from dms_relay.merge import merge
from dms_relay.model import PARAMETERS
from dms_relay.plan import plan
from dms_relay.plan.complaints import sure
from dms_relay.plan.found import find
from dms_relay.postfix.master_cf import Service, is_login_table
from dms_relay.postfix.table_types import split_index
from dms_relay.postfix.trial import refuse_wrong_values
from dms_relay.render import render
from dms_relay.sources import read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from dms_relay.commands import Context
    from dms_relay.plan import Plan, ServiceChange, TableChange
    from dms_relay.plan.state import TableFile

LINE_END = b"\n"
#: What ``plan --exit-code`` returns if there is something to change, as ``diff`` and ``git diff --exit-code`` do.
EXIT_CHANGES = 1


def run(arguments: Namespace, context: Context) -> int:
    """Print the changes; with ``--exit-code`` the exit code shows if there are any."""
    config = merge(read(context.paths, context.environ))
    changes = plan(render(config, context.paths), find(context.paths), from_scratch=arguments.from_scratch)
    changed = {change.name: change.new for change in changes.parameters}
    refuse_wrong_values(context.paths.postfix_dir, changed, config.own_parameters)
    context.log.problems((*sure(config, changes), *changes.warnings, *may_stay(config, changes)))
    for table in changes.tables:
        is_index = split_index(table.name)[1]
        diff = _index_diff if is_index else _table_diff
        context.say(*diff(str(context.paths.table(table.name)), table))
    context.say(*_service_diff(str(context.paths.master_cf), changes))
    context.say(*_parameter_diff(str(context.paths.main_cf), changes))
    if changes.is_empty:
        context.say(nothing(config))
    return EXIT_CHANGES if arguments.exit_code and not changes.is_empty else os.EX_OK


def _table_diff(path: str, change: TableChange) -> Iterator[str]:
    old, new = _text(change.old), _text(change.new)
    lines = mask_login_table(old, new) if is_login_table(change.name) else (lines_of(old), lines_of(new))
    diff = list(_diff(path, lines, is_new=change.old is None, is_gone=change.new is None))
    yield from diff
    if old != new and not diff:
        yield f"# {path}: only spaces and line ends differ"
    if change.old and change.new and _rights(change.old) != _rights(change.new):
        yield f"# {path}: {_rights(change.old)} becomes {_rights(change.new)}"


def _index_diff(path: str, change: TableChange) -> Iterator[str]:
    """Yield what happens to the index of a table; its entries are those of the table."""
    if change.new is None:
        yield f"# {path}: removed; the table no longer has an index of this type"
    elif not change.new.index:
        yield f"# {path}: the previous file is restored"
    elif change.old is None:
        yield f"# {path}: index of {change.new.content.count(LINE_END)} keys is built"
    else:
        yield f"# {path}: index of {change.new.content.count(LINE_END)} keys is rebuilt"


def _text(table: TableFile | None) -> str:
    return table.content.decode("utf-8", "replace") if table else ""


def _rights(table: TableFile) -> str:
    return f"mode {table.mode:04o}, owner {table.uid}:{table.gid}"


def _service_diff(path: str, changes: Plan) -> Iterator[str]:
    """Yield the changed services as in master.cf, and what an operator sets in others, without logins."""
    texts = [_service_texts(change) for change in changes.services]
    old, new = (lines_of("\n".join(text[side] for text in texts if text[side])) for side in (0, 1))
    yield from _diff(path, (old, new), is_new=False, is_gone=False)
    if changes.overlay and changes.overlay.is_changed:
        words = changes.found.words
        old = [f"{key.rpartition('/')[0]} -o {mask_word(word)}" for key, word in sorted(words.items())]
        new = [f"{key.rpartition('/')[0]} -o {mask_word(word)}" for key, word in sorted(changes.overlay.wanted.items())]
        yield from _diff(path, (old, new), is_new=False, is_gone=False)


def _service_texts(change: ServiceChange) -> list[str]:
    """Return a service before and after; empty if there is none."""
    versions = mask_versions(*(dict(s.overrides) if s else {} for s in (change.old, change.new)))
    services = zip((change.old, change.new), versions, strict=True)
    return [Service(s.chroot, tuple(shown.items())).text(change.name) if s else "" for s, shown in services]


def _parameter_diff(path: str, changes: Plan) -> Iterator[str]:
    changed = {change.name: change.new for change in changes.parameters}
    before = changes.found.parameters
    names = (*PARAMETERS, *(name for name in changed if name not in PARAMETERS))
    old = {name: before[name] for name in names if name in before}
    after = {name: changed.get(name, before.get(name)) for name in names}
    new = {name: value for name, value in after.items() if value is not None}
    yield from _diff(path, mask_parameters(old, new), is_new=False, is_gone=False)


def _diff(path: str, lines: tuple[list[str], list[str]], *, is_new: bool, is_gone: bool) -> Iterator[str]:
    from difflib import unified_diff  # noqa: PLC0415 -- not on the boot path

    old, new = "/dev/null" if is_new else path, "/dev/null" if is_gone else path
    diff = list(unified_diff(*lines, old, new, lineterm="", n=1))
    # An empty table has no lines to show, but it is still created or removed.
    yield from diff or ([f"--- {old}", f"+++ {new}"] if is_new or is_gone else [])
