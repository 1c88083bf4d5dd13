"""The text of ``relay.yaml``, with the origin of each route in a comment. Pure.

Texts are in double quotes if YAML could read them as something else; JSON's escapes are YAML's too.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from dms_relay.migrate.drafting import logins_of
from dms_relay.model import DIRECT, IMPLICIT_TLS_PORTS, MASK
from dms_relay.model.relays import CLEARTEXT_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dms_relay.migrate.draft import Draft, Route, TakenLogin, TakenRelay

#: Text that YAML reads verbatim: it begins with a letter, and has only these characters.
_PLAIN = re.compile(r"[A-Za-z][\w./@+-]*", re.ASCII)
_WORDS = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n"})
_LEVEL, _FINGERPRINT = "secure", "fingerprint"
_WIDTH = 100
#: The largest codes of escapes with two and four digits (YAML 1.1, section 5.6).
_TWO_DIGITS, _FOUR_DIGITS = 0xFF, 0xFFFF
#: Surrogates, for octets that are not UTF-8 (PEP 383): written unchanged, and the reader of relay.yaml reports them.
_OCTETS = frozenset(map(chr, range(0xDC80, 0xDD00)))


class Passwords:
    """How a password is written: in a file of ``directory``, or in ``relay.yaml`` itself; masked if it is only shown."""

    def __init__(
        self, directory: str = "", *, inline: bool = False, masked: bool = False, copied: bool = False
    ) -> None:
        """Set the directory of the files. ``copied``: copy even passwords that already have a file."""
        self._directory = directory
        self._inline = inline
        self._masked = masked
        self._copied = copied

    def file(self, name: str, login: TakenLogin) -> str:
        """Return the path of a password's file; empty if it is in ``relay.yaml``."""
        if login.path and not self._copied:
            return login.path
        return "" if self._inline else f"{self._directory}/{name}"

    def secret(self, name: str, key: str, value: str) -> tuple[str, str]:
        """Return key and value of a secret of OAuth2."""
        if self._inline:
            return key, MASK if self._masked else value
        return f"{key}_file", f"{self._directory}/{name}.{key}"

    def shown(self, password: str) -> str:
        """Return a password as it is to be written."""
        return MASK if self._masked else password


def relay_yaml(draft: Draft, source: str, passwords: Passwords) -> str:
    """Return the text of the file."""
    writer = _Writer(draft, passwords)
    return "\n".join(
        [f"# Written by dms-relay import from {source}. What each key means: docs/relay-yaml.md", *writer.lines(), ""]
    )


class _Writer:
    def __init__(self, draft: Draft, passwords: Passwords) -> None:
        self.draft = draft
        self.passwords = passwords
        self.files = {id(login): name for name, login in logins_of(draft).items()}

    def lines(self) -> Iterator[str]:
        draft = self.draft
        yield "version: 1"
        if draft.relays:
            yield "relays:"
        for name, relay in draft.relays.items():
            yield f"  {name}:"
            yield from (f"    {line}" for line in self._relay(relay))
        if draft.default:
            yield _commented(f"default: {draft.default.relay or DIRECT}", draft.default.origin)
        for title, routes in (("senders", draft.senders), ("recipients", draft.recipients)):
            if routes:
                yield f"{title}:"
                yield from (f"  {line}" for route in routes for line in self._route(route))

    def _relay(self, relay: TakenRelay) -> Iterator[str]:
        first, ports = relay.hosts[0], {host.port for host in relay.hosts}
        if relay.hosts[1:]:
            names = [quoted(_with_port(host.name, host.port)) for host in relay.hosts]
            yield f"hosts: [{', '.join(names)}]"
        else:
            yield f"host: {quoted(first.name)}"
            yield f"port: {first.port}"
        if first.is_domain:
            yield "mx: true"
        if relay.login:
            yield f"login: {self._login(relay.login)}"
        if tls := ", ".join(self._tls(relay, ports)):
            yield f"tls: {{{tls}}}"

    def _tls(self, relay: TakenRelay, ports: set[int]) -> Iterator[str]:
        yield from [f"level: {relay.level}"] if relay.level != _LEVEL else []
        implied = any(str(port) in IMPLICIT_TLS_PORTS for port in ports)
        mixed = implied and not all(str(port) in IMPLICIT_TLS_PORTS for port in ports)
        if implied != relay.is_implicit or mixed:
            yield f"mode: {'implicit' if relay.is_implicit else 'starttls'}"
        if relay.ca_file:
            yield f"ca_file: {quoted(relay.ca_file)}"
        if relay.names:
            key = "fingerprints" if relay.level == _FINGERPRINT else "match"
            yield f"{key}: [{', '.join(map(quoted, relay.names))}]"
        if relay.level in CLEARTEXT_LEVELS and self._has_login(relay):
            yield "allow_cleartext_login: true"

    def _has_login(self, relay: TakenRelay) -> bool:
        names = {name for name, one in self.draft.relays.items() if one is relay}
        return bool(relay.login) or any(route.login and route.relay in names for route in self.draft.senders)

    def _login(self, login: TakenLogin) -> str:
        parts = [f"username: {quoted(login.username)}"]
        name = self.files[id(login)]
        if login.oauth2:
            pairs = [self.passwords.secret(name, *pair) if pair[0] in SECRETS else pair for pair in login.oauth2]
            parts.append(f"oauth2: {{{', '.join(f'{key}: {quoted(value)}' for key, value in pairs)}}}")
        elif path := self.passwords.file(name, login):
            parts.append(f"password_file: {quoted(path)}")
        else:
            parts.append(f"password: {_in_quotes(self.passwords.shown(login.password))}")
        if login.mechanisms:
            parts.append(f"mechanisms: [{', '.join(login.mechanisms)}]")
        return f"{{{', '.join(parts)}}}"

    def _route(self, route: Route) -> Iterator[str]:
        relay = route.relay or DIRECT
        if not route.login:
            yield _commented(f"{quoted(route.key)}: {relay}", route.origin)
            return
        yield _commented(f"{quoted(route.key)}:", route.origin)
        yield f"  relay: {relay}"
        yield f"  login: {self._login(route.login)}"


#: Keys of ``oauth2`` whose values are in files of their own.
SECRETS = frozenset({"client_secret", "refresh_token"})


def _commented(line: str, origin: str) -> str:
    """Return a line followed by its origin, if there is room."""
    comment = f"{line}  # {origin}"
    return comment if len(comment) <= _WIDTH and comment.isprintable() else line


def _with_port(name: str, port: int) -> str:
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def quoted(text: str) -> str:
    """Return a text in a form that YAML reads back unchanged."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _in_quotes(text)


def _in_quotes(text: str) -> str:
    """Return a text in double quotes, with escapes for what YAML does not allow, or takes for a line end."""
    return "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))


def _escaped(sign: str) -> str:
    if sign.isprintable() or sign in _OCTETS:
        return sign
    code = ord(sign)
    return f"\\x{code:02x}" if code <= _TWO_DIGITS else f"\\u{code:04x}" if code <= _FOUR_DIGITS else f"\\U{code:08x}"


def files_of(draft: Draft, passwords: Passwords, directory: str) -> Iterator[tuple[str, str]]:
    """Yield the secrets of a draft that belong in files of a directory: path and content."""
    for name, login in logins_of(draft).items():
        for key, value in login.oauth2:
            path = passwords.secret(name, key, value)[1]
            if key in SECRETS and path.startswith(f"{directory}/"):
                yield path, value
        path = passwords.file(name, login)
        if not login.oauth2 and path != login.path and path.startswith(f"{directory}/"):
            yield path, login.password
