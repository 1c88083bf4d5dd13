"""What the checks look at: the inputs, what follows from them, and the machine where there is one.

Reads inputs, main.cf, master.cf, our tables and memory, and asks ``postconf``. Writes nothing. Raises ``BusyError`` where
the inputs are being edited; whatever else stands in the way becomes a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from errno import EACCES, ENOENT
from typing import TYPE_CHECKING

from dms_relay.assignments import assignments
from dms_relay.checks.lookups import WAYS, other_ways
from dms_relay.checks.rules import Finding, of_problem
from dms_relay.errors import InputError, MissingInputError, PostfixError, WriteError
from dms_relay.mask import mask_parameter
from dms_relay.merge import merge
from dms_relay.model import MAPS, TRANSPORTS, Origin
from dms_relay.plan import plan
from dms_relay.plan.found import find
from dms_relay.postfix import main_cf
from dms_relay.postfix.programs import Postfix
from dms_relay.render import render
from dms_relay.sources import read
from dms_relay.sources.managed_domains import read_domains
from dms_relay.sources.postfix_main import NAME as USER_FILE
from dms_relay.sources.text import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.assignments import Assignment
    from dms_relay.model import Domain, Paths, PostfixConfig
    from dms_relay.model.configuration import Inputs, RelayConfig
    from dms_relay.plan import Plan

#: What Postfix is asked: its version, what it takes for its own, and what decides whether certificates can be checked.
ASKED = (
    "mail_version",
    "myhostname",
    "mydomain",
    "myorigin",
    "mydestination",
    "relay_domains",
    "virtual_alias_domains",
    "virtual_mailbox_domains",
    "smtp_sasl_type",
    "smtp_sasl_tls_security_options",
    "smtp_tls_CAfile",
    "smtp_tls_CApath",
    "smtp_tls_trust_anchor_file",
    "smtp_tls_policy_maps",
    "smtp_tls_wrappermode",
    "tls_append_default_CA",
    *WAYS,
)

_NOT_LOOKED_AT = "machine-not-looked-at"
_NO_POSTFIX = "Postfix itself was not looked at"


@dataclass(frozen=True, slots=True)
class PostfixFindings:
    """What Postfix has, and what ``apply`` would change. ``asked`` is what Postfix says of ``ASKED``, defaults and all.

    ``ways`` are entries of the operator's own tables that come before our routes (``lookups``).
    """

    plan: Plan
    asked: dict[str, str]
    ways: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def after(self) -> dict[str, str]:
        """Return our parameters as ``apply`` would leave them."""
        changed = {change.name: change.new for change in self.plan.parameters}
        merged = {**self.plan.found.parameters, **changed}
        return {name: mask_parameter(name, value) for name, value in merged.items() if value is not None}


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The inputs, and what follows from them. ``domains`` are the managed domains; ``user_file`` is all of postfix-main.cf.

    ``machine`` is ``None`` where there is no Postfix.
    """

    paths: Paths
    inputs: Inputs
    config: RelayConfig
    wanted: PostfixConfig
    assignments: tuple[Assignment, ...]
    domains: tuple[Domain, ...]
    user_file: dict[str, str] = field(default_factory=dict, repr=False)
    machine: PostfixFindings | None = None

    @property
    def routing(self) -> str:
        """How mail finds its relay."""
        return TRANSPORTS if self.config.transports else MAPS

    def parameter(self, name: str) -> str:
        """Return a parameter that we do not set: the operator's own, or what Postfix has; ``""`` where neither is known."""
        if self.inputs.is_user_file_last and name in self.user_file:
            return self.user_file[name]
        return self.machine.asked.get(name, "") if self.machine else ""

    def after(self, name: str) -> str:
        """Return one of our parameters as ``apply`` would leave it, as far as that is known; ``""`` where it is not set."""
        return (self.machine.after if self.machine else self.wanted.parameters).get(name, "")

    @property
    def is_logging_in(self) -> bool:
        """Return True if Postfix uses logins: not where the operator's own file says no."""
        own = self.config.user_parameters.get("smtp_sasl_auth_enable")
        return self.routing != MAPS or own is None or main_cf.is_yes(own.value)

    @property
    def has_default(self) -> bool:
        """Return True if there is a relay for senders that are not named."""
        return any(use.sender == "" == use.recipient and use.nexthop for use in self.assignments)

    def is_of_file(self, use: Assignment) -> bool:
        """Return True if a relay stands in relay.yaml."""
        return any(relay.name == use.relay for relay in (self.inputs.file.relays if self.inputs.file else ()))


@dataclass(frozen=True, slots=True)
class Examined:
    """What there is to look at. ``context`` is ``None`` where the inputs cannot be used, with that as ``error``."""

    inputs: Inputs
    context: CheckContext | None
    findings: tuple[Finding, ...]
    error: InputError | None = None


def examine(paths: Paths, environ: Mapping[str, str]) -> Examined:
    """Read all there is, with what reading, merging and planning themselves find."""
    inputs = read(paths, environ)
    try:
        config = merge(inputs)
    except InputError as error:
        return Examined(inputs, None, tuple(map(of_problem, error.problems)), error)
    found = list(map(of_problem, config.warnings))
    wanted = render(config, paths)
    machine = _machine(paths, config, wanted, found)
    # What is wrong with these files is nobody's business where RELAY_HOST is not set.
    domains = inputs.domains or read_domains(paths, [])
    user_file = main_cf.values(read_text(paths.config_dir / USER_FILE, USER_FILE, []) or "")
    used = assignments(config) if config.enabled else ()
    context = CheckContext(paths, inputs, config, wanted, used, domains, user_file, machine)
    return Examined(inputs, context, tuple(found))


def _machine(
    paths: Paths, config: RelayConfig, wanted: PostfixConfig, findings: list[Finding]
) -> PostfixFindings | None:
    """Look at the machine; where that cannot be, or what is there cannot be understood, a finding says so."""
    try:
        changes = plan(wanted, find(paths))
        findings.extend(map(of_problem, changes.warnings))
        return _asked(Postfix(paths.postfix_dir), config, changes)
    except MissingInputError as error:
        problem = error.problems[0]
        findings.append(Finding(_NOT_LOOKED_AT, problem.origin, f"{_NO_POSTFIX}: it {problem.text}", problem.remedy))
    except InputError as error:
        findings.extend(map(of_problem, error.problems))
    except (PostfixError, WriteError) as error:
        findings.append(_unreadable(error, Origin(str(paths.postfix_dir))))
    return None


def _unreadable(error: PostfixError | WriteError, origin: Origin) -> Finding:
    """Return why Postfix was not examined: a missing right or a missing program is no fault of its configuration."""
    is_program_missing = isinstance(error, PostfixError) and error.program and error.errno == ENOENT
    if is_program_missing or error.errno == EACCES:
        return Finding(_NOT_LOOKED_AT, origin, f"{_NO_POSTFIX}: {error.text}", error.remedy or "run as root")
    remedy = error.remedy or "run that program by hand, and fix what it reports"
    return Finding("machine-unreadable", origin, error.text, remedy)


def _asked(postfix: Postfix, config: RelayConfig, changes: Plan) -> PostfixFindings:
    """Ask Postfix; of tables that ``apply`` is about to take out, nothing is asked."""
    asked = postfix.expanded(*ASKED)
    changing = {change.name for change in changes.parameters}
    tables = {name: asked.get(name, "") for name in WAYS if name not in changing}
    return PostfixFindings(changes, asked, {} if config.transports else other_ways(postfix, config, tables))
