"""The structure of the report that ``dms-relay explain --json`` prints: see ``docs/explain.md``.

Types only; ``report`` fills them. No value in them is a password.
"""

from __future__ import annotations

from typing import TypedDict


class EntryDocument(TypedDict):
    """An entry of a lookup table, and its place in the inputs; all ``None`` if no table decided."""

    table: str | None
    key: str | None
    origin: str | None


class LookupDocument(EntryDocument):
    """One parameter that Postfix consulted, and its effective value."""

    parameter: str
    value: str | None


class TokenDocument(TypedDict):
    """How the access token of a login is requested, and how long the stored one is valid; ``None``: there is none."""

    grant: str
    provider: str | None
    valid_until: str | None


class LoginDocument(EntryDocument):
    """A login that is offered. ``by`` says what it is keyed by: ``sender``, ``host`` or ``nexthop``.

    ``mechanisms`` are those that smtp(8) may use, if a filter names them; ``token`` is ``None`` for a password.
    """

    username: str
    by: str
    mechanisms: list[str]
    token: TokenDocument | None


class TlsDocument(EntryDocument):
    """The TLS that smtp(8) requires, and the parameter that sets it. ``mode`` is ``implicit`` or ``starttls``."""

    level: str
    mode: str
    names: list[str]
    ca_file: str | None
    ca_path: str | None
    parameter: str


class HopDocument(TypedDict):
    """One nexthop. ``mail_exchangers`` is True if its MX hosts are looked up."""

    nexthop: str
    host: str
    port: str
    mail_exchangers: bool
    fallback: bool
    login: LoginDocument | None
    tls: TlsDocument
    remarks: list[str]


class RouteDocument(TypedDict):
    """The route of a message on one configuration. ``failure`` says why it does not leave."""

    transport: str | None
    nexthop: str | None
    program: str | None
    is_direct: bool
    origin: str | None
    lookups: list[LookupDocument]
    hops: list[HopDocument]
    failure: str | None


class MessageDocument(TypedDict):
    """The route of a message now, and after ``apply``.

    ``apply_is_due`` is ``None`` if the inputs are wrong; ``after_apply`` is ``None`` if ``apply`` has no change.
    """

    sender: str
    recipient: str
    now: RouteDocument
    apply_is_due: bool | None
    after_apply: RouteDocument | None
    notes: list[str]
