"""The signature of a class of ``values``: its fields, with types and defaults, for ``help``, ``inspect`` and the site.

Nothing imports this until somebody asks for a signature, since inspect takes 10 ms to import.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.model.values import _Field


class _Made:
    """Stands for a default that is made for each value, as ``dataclasses`` shows it."""

    def __repr__(self) -> str:
        return "<factory>"


def signature_of(cls: Any, fields: Mapping[str, _Field]) -> Signature:  # noqa: ANN401 -- a class
    """Return the signature of a class, and show it for its ``__init__``, which is compiled with the first value."""
    parameters = [
        Parameter(
            name,
            Parameter.POSITIONAL_OR_KEYWORD,
            default=_default(field),
            annotation=cls.__annotations__[name],
        )
        for name, field in fields.items()
    ]
    own = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    cls.__init__.__signature__ = Signature([own, *parameters], return_annotation=None)
    cls.__init__.__doc__ = "Take the fields."
    return Signature(parameters, return_annotation=None)


def _default(field: _Field) -> object:
    if field.factory:
        return _Made()
    return field.default if field.has_default else Parameter.empty
