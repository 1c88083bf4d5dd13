"""Makes frozen classes with slots of annotated fields, as ``dataclasses`` does, for a tenth of what that costs a start.

``dataclasses`` takes 10 ms to import, and compiles each method of each class. Here ``__init__`` alone is compiled, when the
first value of a class is made: a run needs half of the classes. ``tests/model/test_values.py`` holds the two to the same
behaviour. A method that the class itself has is left alone.

Known limits: no inheritance, no ``ClassVar``, ``InitVar`` or ``__post_init__``; a value that holds itself has no ``repr``.
"""

from __future__ import annotations

import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:
    # What typing has for it does nothing at run time, and takes 3 ms to import.
    def dataclass_transform(**_options: object) -> Callable[[T], T]:  # noqa: D103
        return lambda decorator: decorator


#: The default of a field that has none.
_NONE: Any = object()


class _Field:
    """Says of a field what its annotation cannot."""

    __slots__ = ("default", "factory", "is_shown")

    def __init__(self, default: object, factory: Callable[[], object] | None, *, is_shown: bool) -> None:
        self.default, self.factory, self.is_shown = default, factory, is_shown

    @property
    def has_default(self) -> bool:
        """Return True if the field need not be given."""
        return self.factory is not None or self.default is not _NONE


class _Signature:
    """Makes the signature of a class when somebody asks for it, which a boot never does."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, _Field]) -> None:
        self._fields = fields

    def __get__(self, _value: object, cls: object) -> object:
        from dms_relay.model.signature import signature_of  # noqa: PLC0415 -- inspect, for this alone

        return signature_of(cls, self._fields)


def field(*, default: Any = _NONE, default_factory: Callable[[], object] | None = None, repr: bool = True) -> Any:  # noqa: A002, ANN401 -- as dataclasses has it
    """Say what makes the default of a field, once for each value, and whether ``repr`` shows the field."""
    return _Field(default, default_factory, is_shown=repr)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class frozen, with slots, and compare its values by their fields."""
    return _made(cls, ("eq",))


@dataclass_transform(frozen_default=True, order_default=True, field_specifiers=(field,))
def frozen_ordered(cls: type[T]) -> type[T]:
    """Do the same, and sort values by their fields."""
    return _made(cls, ("eq", "lt", "le", "gt", "ge"))


def replace(value: T, **changes: Any) -> T:  # noqa: ANN401 -- of the types that the fields have
    """Return a copy of a value with some fields changed."""
    fields = {name: getattr(value, name) for name in value.__match_args__}  # type: ignore[attr-defined]
    return type(value)(**fields | changes)


def _made(cls: type[T], comparisons: tuple[str, ...]) -> type[T]:
    names = tuple(cls.__annotations__)
    given = {name: cls.__dict__.get(name, _NONE) for name in names}
    fields = {name: f if isinstance(f, _Field) else _Field(f, None, is_shown=True) for name, f in given.items()}
    own = {name: member for name, member in cls.__dict__.items() if name not in {*names, "__dict__", "__weakref__"}}
    namespace = _methods(fields, comparisons) | own | {"__slots__": names, "__qualname__": cls.__qualname__}
    made: Any = type(cls.__name__, cls.__bases__, namespace)
    made.__init__ = _init(made, fields)
    made.__signature__ = _Signature(fields)
    return made  # type: ignore[no-any-return]


def _init(cls: Any, fields: dict[str, _Field]) -> Callable[..., None]:  # noqa: ANN401 -- a class
    def __init__(self: object, *args: object, **kwargs: object) -> None:  # noqa: N807 -- that is what it is
        """Compile the real one, put it here, and call it."""
        known: dict[str, Any] = {f"_{name}": item.factory or item.default for name, item in fields.items()}
        known |= {"_none": _NONE, "_set": object.__setattr__}
        exec(init_text(fields), known)  # noqa: S102 -- names of our fields
        cls.__init__ = known["__init__"]
        cls.__init__(self, *args, **kwargs)

    return __init__


def init_text(fields: dict[str, _Field]) -> str:
    """Return what is compiled as ``__init__``; a bundle has it compiled (``bundle``)."""
    parameters, lines = ["self"], ["pass"]
    for name, item in fields.items():
        default = "=_none" if item.factory else "" if item.default is _NONE else f"=_{name}"
        parameters.append(name + default)
        lines.append(f"_set(self, {name!r}, {f'_{name}() if {name} is _none else ' if item.factory else ''}{name})")
    return f"def __init__({', '.join(parameters)}): {'; '.join(lines)}"


def _methods(fields: dict[str, _Field], comparisons: tuple[str, ...]) -> dict[str, Any]:
    names, shown = tuple(fields), [name for name, item in fields.items() if item.is_shown]
    values: Callable[[object], tuple[Any, ...]]
    values = operator.attrgetter(*names) if names[1:] else lambda value: tuple(getattr(value, name) for name in names)

    def comparison(compare: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
        return lambda self, other: compare(values(self), values(other)) if type(self) is type(other) else NotImplemented

    def refuse(self: object, name: str, *_: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is frozen")

    return {f"__{name}__": comparison(getattr(operator, name)) for name in comparisons} | {
        "__match_args__": names,
        "__setattr__": refuse,
        "__delattr__": refuse,
        "__hash__": lambda self: hash(values(self)),
        "__reduce__": lambda self: (type(self), values(self)),
        "__repr__": lambda self: f"{type(self).__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in shown)})",
    }
