"""Finds what is wrong with the inputs and with Postfix: a module for each subject, and ``rules`` with every identifier.

``check`` runs them all. Writes nothing; no finding ever contains a password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dms_relay.checks.context import examine
from dms_relay.checks.delivery import check_ways
from dms_relay.checks.direct import check_direct
from dms_relay.checks.in_force import left_out
from dms_relay.checks.leftovers import check_leftovers
from dms_relay.checks.logins import check_logins, used_by_main_cf
from dms_relay.checks.loops import check_loops
from dms_relay.checks.machine import check_machine
from dms_relay.checks.password_services import check_password_services
from dms_relay.checks.rewriting import check_rewriting
from dms_relay.checks.routes import check_routes, is_contradicted
from dms_relay.checks.rules import SEVERITIES, Finding, from_problem
from dms_relay.checks.secrets import check_secrets
from dms_relay.checks.table_domains import check_table_domains
from dms_relay.checks.tokens import check_tokens
from dms_relay.checks.trust import check_trust
from dms_relay.checks.user_file import check_user_file
from dms_relay.sources.secrets import secret_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dms_relay.checks.context import CheckContext
    from dms_relay.errors import InputError
    from dms_relay.model import Paths


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, errors first. ``version`` is Postfix's, ``""`` if Postfix was not examined.

    ``error`` is set if the inputs cannot be used.
    """

    findings: tuple[Finding, ...]
    version: str = ""
    error: InputError | None = None

    def count(self, severity: str) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)


#: Rules about how a service wants logins.
_OF_SERVICES = (check_tokens, check_password_services)
#: Rules about what main.cf does to the routes of the inputs.
_OF_MAIN_CF = (check_loops, check_table_domains, check_rewriting)


def check(paths: Paths, environ: Mapping[str, str]) -> Report:
    """Examine the inputs, and Postfix if possible. Raises ``BusyError`` while the inputs are being edited."""
    examined = examine(paths, environ)
    context = examined.context
    places = tuple(secret_places(paths, environ, examined.inputs))
    found = [*examined.findings, *check_secrets(places), *check_trust(paths, places)]
    found += check_leftovers(paths)
    if examined.error and (problem := left_out(paths, examined.inputs)):
        found.append(from_problem(problem))
    if context:
        used = used_by_main_cf(context)
        found = [finding for finding in found if not is_contradicted(context, finding, used)]
        found += _findings(context)
    version = context.machine.asked.get("mail_version", "") if context and context.machine else ""
    return Report(_sorted(found), version, examined.error)


def _findings(context: CheckContext) -> Iterator[Finding]:
    for run in (
        check_logins,
        *_OF_SERVICES,
        check_routes,
        check_user_file,
        check_machine,
        check_ways,
        check_direct,
        *_OF_MAIN_CF,
    ):
        yield from run(context)


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort by severity, then by origin; remove duplicates."""
    order = {severity: number for number, severity in enumerate(SEVERITIES)}
    return tuple(sorted(dict.fromkeys(findings), key=lambda f: (order[f.severity], f.origin, f.rule, f.text)))
