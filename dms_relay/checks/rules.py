"""Every rule of ``dms-relay check``: its identifier, its severity, and its meaning. Pure.

An identifier never changes its meaning. ``docs/checks.md`` describes each, and a test keeps the two in step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dms_relay.model import Origin, Problem

#: Mail does not leave, or a login cannot work or leaks; something may not work as intended; worth knowing.
ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")


class Rule(NamedTuple):
    """The severity of a finding, and its meaning."""

    severity: str
    meaning: str


RULES = {
    # Inputs.
    "wrong-input": Rule(ERROR, "an input cannot be used, so nothing is applied until it is fixed"),
    "doubtful-input": Rule(WARNING, "a line or a value is read in a way that may not be meant"),
    "unknown-setting": Rule(WARNING, "a variable looks like a setting, but is not one"),
    "unknown-file": Rule(WARNING, "a file looks like an input, but is not one"),
    "untrusted-input": Rule(ERROR, "somebody other than root and the user who runs dms-relay can change an input"),
    "group-writable-input": Rule(WARNING, "a group can change an input"),
    "other-directory": Rule(ERROR, "the configuration directory is not the one of the last run, or it is gone"),
    "service-link": Rule(NOTE, "a variable was injected for a service beside this container, and is ignored"),
    "setting-without-effect": Rule(WARNING, "a variable has no effect with the other settings as they are"),
    "given-twice": Rule(WARNING, "a key or a setting is given twice, and one of the two is dropped"),
    "two-spellings": Rule(WARNING, "a domain is written in two spellings that mean the same"),
    # Logins.
    "no-login": Rule(WARNING, "relays are used without a login"),
    "half-a-login": Rule(WARNING, "a user name without a password, or a password without a user name"),
    "login-without-relay": Rule(WARNING, "a login is never offered to a relay"),
    "relay-without-login": Rule(WARNING, "mail goes to a relay without a login, while others have one"),
    "null-sender-without-login": Rule(WARNING, "bounces go to a relay whose logins are keyed by sender"),
    "env-login-overridden": Rule(WARNING, "a file overrides a login of the environment"),
    "packed-login": Rule(NOTE, "a login has quotes, a name or other text around it that is hardly part of it"),
    "comment-in-password": Rule(NOTE, "text that looks like a comment after a login is part of its password"),
    "login-for-strangers": Rule(ERROR, "a login is offered to servers that are not your relays"),
    "login-at-other-relay": Rule(WARNING, "a login is also offered to a relay that it does not belong to"),
    "cleartext-login": Rule(ERROR, "a login can be sent without TLS"),
    # Access tokens.
    "no-token": Rule(ERROR, "a login has no valid access token, so its mail stays in the queue"),
    "token-renewal-fails": Rule(WARNING, "an access token is valid, but could not be renewed"),
    "token-not-renewed": Rule(WARNING, "no keeper renews the access tokens"),
    "token-of-other-secrets": Rule(NOTE, "an access token was obtained with other secrets than the inputs have now"),
    "token-plugin-missing": Rule(ERROR, "Postfix cannot log in with access tokens: the plugin is missing"),
    "other-token-plugin": Rule(WARNING, "another plugin for access tokens can get in the way of ours"),
    "password-as-token": Rule(ERROR, "a password can be sent as an access token, which the server refuses"),
    "token-to-unverified-server": Rule(NOTE, "an access token is sent to a server that need not prove who it is"),
    "password-login-ends": Rule(NOTE, "a password is sent to a service that stops accepting passwords"),
    # Routes.
    "implicit-tls-port": Rule(ERROR, "a relay on port 465 or 2465 does not work with RELAY_ROUTING=maps"),
    "implicit-tls-everywhere": Rule(ERROR, "Postfix begins with TLS at servers that begin without it"),
    "mx-lookup-with-login": Rule(WARNING, "a login is offered to every MX host that the DNS names for a relay"),
    "opt-out-without-effect": Rule(WARNING, "an opt-out has no effect"),
    "opt-out-needs-tls": Rule(WARNING, "mail that goes directly reaches only servers with TLS"),
    "two-default-relays": Rule(NOTE, "DEFAULT_RELAY_HOST and RELAY_HOST are both set"),
    "relay-host-unused": Rule(NOTE, "RELAY_HOST is not used: every managed domain has its own relay or opt-out"),
    "no-managed-domain": Rule(WARNING, "RELAY_HOST serves managed domains, but there are none"),
    "relay-domain-not-managed": Rule(NOTE, "a relay is set for a domain that this server does not manage"),
    "public-domain-is-local": Rule(WARNING, "a domain of a public mail service is a domain of this server"),
    "managed-domain-not-relayed": Rule(NOTE, "a managed domain has no relay, while others have one"),
    "mail-not-relayed": Rule(NOTE, "some senders have a relay, and mail of all others goes directly"),
    "relay-is-this-server": Rule(ERROR, "a relay is this server itself, so its mail comes back"),
    "new-sender-not-relayed": Rule(ERROR, "a sender has no relay until the inputs are fixed"),
    "table-domains-not-relayed": Rule(WARNING, "RELAY_HOST does not serve domains that main.cf looks up in tables"),
    "sender-rewritten": Rule(WARNING, "senders are rewritten before their relay and login are looked up"),
    "unused-relay": Rule(WARNING, "a relay of relay.yaml is not used"),
    "recipient-is-local": Rule(ERROR, "a recipient route names a domain of this server"),
    # Secrets.
    "secret-readable": Rule(WARNING, "other users can read a file that holds a password"),
    "secret-in-environment": Rule(NOTE, "a password is in the environment, not in a file"),
    "leftover-file": Rule(WARNING, "a file of an interrupted run is left, and logins may be in it"),
    "login-in-main-cf": Rule(WARNING, "a login would be written to a main.cf that every user can read"),
    # postfix-main.cf.
    "user-file-conflict": Rule(ERROR, "a line of postfix-main.cf would route mail past the relays"),
    "user-file-undoes": Rule(WARNING, "a line of postfix-main.cf overrides other inputs"),
    "user-file-not-applied": Rule(WARNING, "nothing applies postfix-main.cf or postfix-master.cf here"),
    # The machine.
    "machine-not-looked-at": Rule(NOTE, "Postfix could not be examined, so only the inputs were"),
    "machine-unreadable": Rule(ERROR, "Postfix's configuration cannot be used, so apply would fail"),
    "apply-due": Rule(WARNING, "Postfix's configuration differs from the inputs"),
    "reload-due": Rule(WARNING, "the running Postfix has not read its configuration since it was changed"),
    "parameter-changed": Rule(WARNING, "a managed parameter was changed since the last apply"),
    "parameter-left": Rule(WARNING, "a parameter is not restored, because it was changed since the last apply"),
    "table-changed": Rule(WARNING, "mode or owner of a managed table was changed since the last apply"),
    "routes-not-used": Rule(WARNING, "a parameter of main.cf routes mail past the relays"),
    "foreign-relayhost": Rule(NOTE, "mail without a relay goes to a relayhost that no input sets"),
    "mail-does-not-leave": Rule(ERROR, "mail of a sender would stay in the queue or be returned"),
    "no-mx-lookup": Rule(WARNING, "mail goes directly, but Postfix looks up no MX hosts"),
    "service-name-taken": Rule(ERROR, "a service of master.cf has the name of a managed service"),
    "postfix-too-old": Rule(ERROR, "Postfix is too old for a feature that is used"),
    "sasl-mechanisms-missing": Rule(ERROR, "Postfix cannot log in: libsasl2-modules is missing"),
    "table-type-missing": Rule(ERROR, "RELAY_TABLES names a table type that this Postfix does not have"),
    "big-table-not-indexed": Rule(
        NOTE, "every Postfix process loads a big table, because there is no indexed table type"
    ),
    "no-authorities": Rule(ERROR, "certificates must be verified, but no certificate authority is configured"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: the rule, the origin, what is wrong, and what to do. Never contains a secret."""

    rule: str
    origin: Origin
    text: str
    remedy: str

    @property
    def severity(self) -> str:
        """The severity of its rule."""
        return RULES[self.rule].severity


def from_problem(problem: Problem) -> Finding:
    """Return a problem of reading, merging or planning as a finding."""
    rule = problem.rule or ("wrong-input" if problem.is_error else "doubtful-input")
    return Finding(rule, problem.origin, problem.text, problem.remedy)
