"""What the checks examine: the inputs, what follows from them, and Postfix if there is one.

Reads the inputs, main.cf, master.cf, the managed tables and the state file, and runs ``postconf``. Writes nothing. Raises
``BusyError`` while the inputs are being edited; every other obstacle becomes a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from errno import EACCES, ENOENT
from typing import TYPE_CHECKING

from dms_relay.assignments import assignments
from dms_relay.checks.lookups import OWN_NEXTHOPS, WAYS, OwnNexthops, other_ways, own_nexthops
from dms_relay.checks.rules import Finding, from_problem
from dms_relay.errors import InputError, MissingInputError, PostfixError, WriteError
from dms_relay.explain.values import Values
from dms_relay.explain.views import view_after, view_now
from dms_relay.mask import mask_all
from dms_relay.merge import merge
from dms_relay.model import MAPS, NULL_SENDER, TRANSPORTS, Origin
from dms_relay.plan import plan
from dms_relay.plan.found import find
from dms_relay.postfix import main_cf
from dms_relay.postfix.programs import Postfix
from dms_relay.postfix.trial import refuse_wrong_values
from dms_relay.render import render
from dms_relay.sources import read
from dms_relay.sources.managed_domains import read_domains
from dms_relay.sources.postfix_main import NAME as USER_FILE
from dms_relay.sources.text import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.assignments import Assignment
    from dms_relay.explain.views import View
    from dms_relay.model import Paths, PostfixConfig
    from dms_relay.model.configuration import Inputs, RelayConfig
    from dms_relay.model.senders import ManagedDomains
    from dms_relay.plan import Plan

#: The parameters to read: Postfix's version, its own domains, and those that verify certificates.
ASKED = (
    "mail_version",
    "myhostname",
    "mydomain",
    "myorigin",
    "inet_interfaces",
    "proxy_interfaces",
    "mydestination",
    "relay_domains",
    "virtual_alias_domains",
    "virtual_alias_maps",
    "virtual_mailbox_domains",
    "smtp_sasl_type",
    "import_environment",
    "smtp_sasl_tls_security_options",
    "smtp_tls_CAfile",
    "smtp_tls_CApath",
    "smtp_tls_trust_anchor_file",
    "smtp_tls_policy_maps",
    "smtp_tls_wrappermode",
    "tls_append_default_CA",
    *WAYS,
    *OWN_NEXTHOPS,
)

_NOT_LOOKED_AT = "machine-not-looked-at"
_NO_POSTFIX = "Postfix itself was not examined"


@dataclass(frozen=True, slots=True)
class PostfixFindings:
    """Postfix's configuration, and what ``apply`` would change. ``asked`` are the values of ``ASKED``, defaults included.

    ``ways`` are entries of the operator's own tables that Postfix looks up before the managed routes; ``own`` are nexthops
    that main.cf and master.cf name themselves, if a check needs them (``lookups``). ``now`` is Postfix's configuration, and
    ``view`` the one that ``apply`` would leave, ``None`` if there is no master.cf.
    """

    plan: Plan
    asked: dict[str, str]
    ways: dict[str, dict[str, str]] = field(default_factory=dict)
    own: OwnNexthops = field(default_factory=OwnNexthops)
    now: View | None = field(default=None, repr=False)
    view: View | None = field(default=None, repr=False)

    @property
    def after(self) -> dict[str, str]:
        """Return the managed parameters as ``apply`` would leave them."""
        changed = {change.name: change.new for change in self.plan.parameters}
        merged = {**self.plan.found.parameters, **changed}
        return mask_all({name: value for name, value in merged.items() if value is not None})


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The inputs, and what follows from them. ``domains`` are the managed domains; ``user_file`` is all of postfix-main.cf.

    ``machine`` is ``None`` if there is no Postfix. ``file_relays`` are the names of the relays of relay.yaml.
    """

    paths: Paths
    inputs: Inputs
    config: RelayConfig
    wanted: PostfixConfig
    assignments: tuple[Assignment, ...]
    domains: ManagedDomains
    user_file: dict[str, str] = field(default_factory=dict, repr=False)
    machine: PostfixFindings | None = None
    file_relays: frozenset[str] = frozenset()

    @property
    def routing(self) -> str:
        """How mail finds its relay."""
        return TRANSPORTS if self.config.transports else MAPS

    def parameter(self, name: str) -> str:
        """Return a parameter that is not managed: the operator's own, or Postfix's value; ``""`` if neither is known."""
        if (self.inputs.is_user_file_last or self.inputs.is_user_file_ours) and name in self.user_file:
            return self.user_file[name]
        return self.machine.asked.get(name, "") if self.machine else ""

    def after(self, name: str) -> str:
        """Return a managed parameter as ``apply`` would leave it, if known; ``""`` if it is not set."""
        return (self.machine.after if self.machine else self.wanted.parameters).get(name, "")

    @property
    def is_logging_in(self) -> bool:
        """Return True if Postfix uses logins: postfix-main.cf can turn them off."""
        own = self.config.user_parameters.get("smtp_sasl_auth_enable")
        return self.routing != MAPS or own is None or main_cf.is_yes(own.value)

    @property
    def has_default(self) -> bool:
        """Return True if a relay serves every sender that no route names."""
        for use in reversed(self.assignments):  # everybody else comes last
            if use.sender not in {"", NULL_SENDER}:
                return False
            if use.sender == "" == use.recipient and use.nexthop:
                return True
        return False

    def is_of_file(self, use: Assignment) -> bool:
        """Return True if a relay is defined in relay.yaml."""
        return use.relay in self.file_relays


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of reading. ``context`` is ``None`` if the inputs cannot be used; ``error`` then says why."""

    inputs: Inputs
    context: CheckContext | None
    findings: tuple[Finding, ...]
    error: InputError | None = None


def examine(paths: Paths, environ: Mapping[str, str]) -> Examined:
    """Read the inputs and Postfix's configuration; problems of reading, merging and planning become findings."""
    inputs = read(paths, environ)
    try:
        config = merge(inputs)
    except InputError as error:
        return Examined(inputs, None, tuple(map(from_problem, error.problems)), error)
    found = list(map(from_problem, config.warnings))
    wanted = render(config, paths)
    machine = _machine(paths, config, wanted, found)
    # Without RELAY_HOST these files are not inputs, so their problems are not reported.
    domains = inputs.domains or read_domains(paths, [])
    user_file = main_cf.values(read_text(paths.config_dir / USER_FILE, USER_FILE, []) or "")
    used = assignments(config) if config.enabled else ()
    names = frozenset(relay.name for relay in inputs.file.relays) if inputs.file else frozenset()
    context = CheckContext(paths, inputs, config, wanted, used, domains, user_file, machine, names)
    return Examined(inputs, context, tuple(found))


def _machine(
    paths: Paths, config: RelayConfig, wanted: PostfixConfig, findings: list[Finding]
) -> PostfixFindings | None:
    """Examine Postfix; add a finding if it is missing, or its configuration cannot be used."""
    try:
        changes = plan(wanted, find(paths))
        changed = {change.name: change.new for change in changes.parameters}
        refuse_wrong_values(paths.postfix_dir, changed, config.own_parameters)
        findings.extend(map(from_problem, changes.warnings))
        return _asked(Postfix(paths.postfix_dir), paths, config, changes)
    except MissingInputError as error:
        problem = error.problems[0]
        findings.append(Finding(_NOT_LOOKED_AT, problem.origin, f"{_NO_POSTFIX}: it {problem.text}", problem.remedy))
    except InputError as error:
        findings.extend(map(from_problem, error.problems))
    except (PostfixError, WriteError) as error:
        findings.append(_unreadable(error, Origin(str(paths.postfix_dir))))
    return None


def _unreadable(error: PostfixError | WriteError, origin: Origin) -> Finding:
    """Return why Postfix was not examined: a missing right or program is not the fault of its configuration."""
    is_program_missing = isinstance(error, PostfixError) and error.program and error.errno == ENOENT
    if is_program_missing or error.errno == EACCES:
        return Finding(_NOT_LOOKED_AT, origin, f"{_NO_POSTFIX}: {error.text}", error.remedy or "run as root")
    remedy = error.remedy or "run that program by hand, and fix what it reports"
    return Finding("machine-unreadable", origin, error.text, remedy)


def _asked(postfix: Postfix, paths: Paths, config: RelayConfig, changes: Plan) -> PostfixFindings:
    """Ask Postfix. The operator's own tables do not matter to relays with transports."""
    now = view_now(postfix) if paths.master_cf.exists() else None
    asked = now.values.printed(ASKED) if now else postfix.expanded(*ASKED)
    view = now if now is None or changes.is_empty else view_after(postfix, now, changes, paths)
    if config.transports:
        return PostfixFindings(changes, asked, now=now, view=view)
    values = view.of_resolver.values if view else Values(asked, asked).with_changes(_changed(changes))
    is_asked = any(problem.rule == "login-without-relay" for problem in config.warnings)
    own = own_nexthops(postfix, values, view.master if view else "") if is_asked else OwnNexthops()
    ways = other_ways(postfix, config, {name: values.get(name) for name in WAYS})
    return PostfixFindings(changes, asked, ways, own, now, view)


def _changed(changes: Plan) -> dict[str, str]:
    return {change.name: change.new or "" for change in changes.parameters}
