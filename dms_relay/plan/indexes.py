"""Chooses which of the wanted tables get an index, and its type: big ones, those of access tokens, or as RELAY_TABLES says.

Access tokens change every hour, and a running smtp(8) reopens a changed index by itself, but never a texthash.

Reads only the answer of ``Found.types``, which asks postconf(1) only if no answer is remembered or Postfix has changed
since. Raises ``InputError`` if RELAY_TABLES names a type that this Postfix does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dms_relay.errors import InputError, RelayError
from dms_relay.model import RELAY_YAML, Origin, Problem
from dms_relay.model.values import replace
from dms_relay.plan.found import find
from dms_relay.postfix.master_cf import login_table
from dms_relay.postfix.table_types import INDEXED_FROM, PACKAGES, TEXTHASH, TypesAnswer, index_name, retyped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.model import Paths, PostfixConfig, Setting
    from dms_relay.plan.found import Found

#: The parameter of a service that names its login table.
_LOGINS = "smtp_sasl_password_maps"


class Choice(NamedTuple):
    """What is wanted, with its indexes among the tables; warnings; and the answer of Postfix, if it was asked."""

    wanted: PostfixConfig
    warnings: tuple[Problem, ...] = ()
    answer: TypesAnswer | None = None


def is_due(wanted: PostfixConfig) -> bool:
    """Return True if a table should be indexed, if Postfix can do that."""
    return bool(wanted.token_tables or _tables(wanted))


def choose(wanted: PostfixConfig, found: Found) -> Choice:
    """Return what is wanted with an index for each big table, and parameters that name it by that type."""
    tables, setting, answer = _tables(wanted), wanted.table_type, found.types.answer
    named = setting.value if setting and setting.value != TEXTHASH else ""
    if setting and named and named not in answer.names:
        raise InputError([_missing(setting)])
    table_type = named or next(iter(answer.names), "")
    if not table_type and wanted.token_tables:
        raise InputError([_missing_for_tokens(wanted)])
    if not table_type:
        return Choice(wanted, (_without_index(tables, wanted),), answer)
    return Choice(_indexed(wanted, dict.fromkeys((*tables, *sorted(wanted.token_tables)), table_type)), answer=answer)


def as_planned(wanted: PostfixConfig, paths: Paths) -> PostfixConfig:
    """Return what is wanted with the types that ``plan`` would choose; unchanged if there is no Postfix to ask."""
    try:
        return choose(wanted, find(paths)).wanted if is_due(wanted) else wanted
    except RelayError:
        return wanted


def _tables(wanted: PostfixConfig) -> list[str]:
    """Return the tables to index: the big ones that our parameters name, or with RELAY_TABLES all that these name."""
    setting = wanted.table_type
    if setting and setting.value == TEXTHASH:
        return []
    named = {*wanted.references.values(), *map(login_table, wanted.services)}
    texts = wanted.tables.items()
    return [table for table, text in texts if table in named and (setting or text.count("\n") >= INDEXED_FROM)]


def _indexed(wanted: PostfixConfig, types: Mapping[str, str]) -> PostfixConfig:
    def with_type(values: Mapping[str, str]) -> dict[str, str]:
        names = ((name, value, types.get(wanted.references.get(name, ""))) for name, value in values.items())
        return {name: retyped(value, kind) if kind else value for name, value, kind in names}

    services = {name: _service(overrides, types.get(login_table(name))) for name, overrides in wanted.services.items()}
    indexes = {index_name(table, kind): wanted.tables[table] for table, kind in types.items()}
    return replace(
        wanted,
        tables=wanted.tables | indexes,
        parameters=with_type(wanted.parameters),
        prepended_maps=with_type(wanted.prepended_maps),
        services=services,
    )


def _service(overrides: dict[str, str], table_type: str | None) -> dict[str, str]:
    return overrides | {_LOGINS: retyped(overrides[_LOGINS], table_type)} if table_type else overrides


def _missing(setting: Setting) -> Problem:
    text = f"this Postfix has no tables of type {setting.value}"
    remedy = f"install {PACKAGES[setting.value]} (Debian's name for it), or remove the setting"
    return Problem(setting.origin, text, remedy, rule="table-type-missing")


def _missing_for_tokens(wanted: PostfixConfig) -> Problem:
    """Return the error for access tokens in a table whose changes a running smtp(8) would not see."""
    text = f"the login table {min(wanted.token_tables)} holds access tokens, and this Postfix has no indexed tables"
    remedy = f"install {' or '.join(PACKAGES.values())} (Debian's names for them)"
    return Problem(Origin(RELAY_YAML), text, remedy)


def _without_index(tables: list[str], wanted: PostfixConfig) -> Problem:
    table = max(tables, key=lambda name: wanted.tables[name].count("\n"))
    keys = wanted.tables[table].count("\n")
    text = f"{keys} keys, which every Postfix process loads: this Postfix has no indexed tables"
    remedy = f"install {' or '.join(PACKAGES.values())} (Debian's names for them)"
    return Problem(Origin(table), text, remedy, is_error=False, rule="big-table-not-indexed")
