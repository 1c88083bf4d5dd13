"""Every rule of ``dms-relay check``: its identifier, how much it counts, and what it means. Pure.

An identifier never changes its meaning. ``docs/checks.md`` has them one by one, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dms_relay.model import Origin, Problem

#: Mail does not leave, or a login cannot work or leaks; something works otherwise than it seems meant; worth knowing.
ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")


class Rule(NamedTuple):
    """How much a finding counts, and what it means."""

    severity: str
    meaning: str


RULES = {
    # Inputs.
    "wrong-input": Rule(ERROR, "an input cannot be used, so nothing is changed until it is mended"),
    "doubtful-input": Rule(WARNING, "a line or a value is read otherwise than it may be meant"),
    "unknown-setting": Rule(WARNING, "a variable looks like one of ours and is none"),
    "setting-without-effect": Rule(WARNING, "a variable has no effect beside the others"),
    "given-twice": Rule(WARNING, "the same is said twice, and one of the two is dropped"),
    "two-spellings": Rule(WARNING, "a domain is written in two ways that mean the same"),
    # Logins.
    "no-login": Rule(WARNING, "relays are used without any login"),
    "half-a-login": Rule(WARNING, "a user name without a password, or the other way round"),
    "login-without-relay": Rule(WARNING, "a login that no relay will ever be offered"),
    "relay-without-login": Rule(WARNING, "mail goes to a relay without a login, while others have one"),
    "null-sender-without-login": Rule(WARNING, "bounces go to a relay whose logins belong to senders"),
    "env-login-overridden": Rule(WARNING, "a login of the environment that a file overrides"),
    "comment-in-password": Rule(NOTE, "what looks like a comment behind a login is part of its password"),
    "login-for-strangers": Rule(ERROR, "a login is offered to servers that are no relay of yours"),
    "login-at-other-relay": Rule(WARNING, "a login is offered to another relay than its own as well"),
    "cleartext-login": Rule(ERROR, "a login can travel without TLS"),
    # Routes.
    "implicit-tls-port": Rule(ERROR, "a relay on port 465, which RELAY_ROUTING=maps cannot speak to"),
    "mx-lookup-with-login": Rule(WARNING, "whatever hosts the DNS names for a relay are offered its login"),
    "opt-out-without-effect": Rule(WARNING, "an opt-out that changes nothing"),
    "opt-out-needs-tls": Rule(WARNING, "a sender that goes directly reaches servers with TLS only"),
    "two-default-relays": Rule(NOTE, "DEFAULT_RELAY_HOST and RELAY_HOST are both set"),
    "relay-host-unused": Rule(NOTE, "every managed domain has a relay or an opt-out of its own"),
    "no-managed-domain": Rule(WARNING, "RELAY_HOST serves managed domains, and there is none"),
    "relay-domain-not-managed": Rule(NOTE, "a relay is set for a domain that this server does not manage"),
    "managed-domain-not-relayed": Rule(NOTE, "a managed domain has no relay, while others have one"),
    "unused-relay": Rule(WARNING, "nobody uses a relay of relay.yaml"),
    "recipient-is-local": Rule(ERROR, "mail that is to arrive at this server would leave it"),
    # Secrets.
    "secret-readable": Rule(WARNING, "other users may read a file that holds a password"),
    "secret-in-environment": Rule(NOTE, "a password stands in the environment, rather than in a file"),
    "login-in-main-cf": Rule(WARNING, "a login would stand in a main.cf that everybody may read"),
    # postfix-main.cf.
    "user-file-conflict": Rule(ERROR, "a line of postfix-main.cf would send mail past the relays"),
    "user-file-undoes": Rule(WARNING, "a line of postfix-main.cf takes away what the other inputs ask for"),
    # The machine.
    "machine-not-looked-at": Rule(NOTE, "there is no Postfix here, so the inputs alone were looked at"),
    "machine-unreadable": Rule(ERROR, "what lies in Postfix's directory cannot be understood, so apply would fail"),
    "apply-due": Rule(WARNING, "Postfix is not configured as the inputs say"),
    "parameter-changed": Rule(WARNING, "somebody changed a parameter of ours since the last apply"),
    "parameter-left": Rule(WARNING, "somebody changed a parameter that is to go back to what it was before us"),
    "table-changed": Rule(WARNING, "somebody changed mode or owner of a table of ours since the last apply"),
    "routes-not-used": Rule(WARNING, "a parameter of main.cf sends mail past the relays"),
    "foreign-relayhost": Rule(NOTE, "mail that has no relay goes to a relayhost that main.cf had before us"),
    "mail-does-not-leave": Rule(ERROR, "mail of a sender would stay in the queue, or be returned"),
    "service-name-taken": Rule(ERROR, "a service of master.cf has the name of one of ours"),
    "postfix-too-old": Rule(ERROR, "Postfix is older than a feature in use"),
    "sasl-mechanisms-missing": Rule(ERROR, "Postfix has no way to log in: libsasl2-modules is missing"),
    "table-type-missing": Rule(ERROR, "RELAY_TABLES names a type of table that this Postfix has not"),
    "big-table-not-indexed": Rule(
        NOTE, "a big table is loaded by each process of Postfix, which has no indexed tables"
    ),
    "no-authorities": Rule(ERROR, "certificates are to be checked, and no authority is known"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: the rule, the place, what is wrong, and what to do. Never holds a secret."""

    rule: str
    origin: Origin
    text: str
    remedy: str

    @property
    def severity(self) -> str:
        """How much it counts."""
        return RULES[self.rule].severity


def of_problem(problem: Problem) -> Finding:
    """Make a finding of what reading, merging or planning found."""
    rule = problem.rule or ("wrong-input" if problem.is_error else "doubtful-input")
    return Finding(rule, problem.origin, problem.text, problem.remedy)
