"""Values of ``frozen`` behave as those of ``dataclasses``: what one does, the other does, for any fields and any values."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import operator
import pickle
import pydoc
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms_relay.model import Login, Origin, PostfixConfig
from dms_relay.model import values as ours

NAMES = ("alpha", "beta", "gamma", "delta")
#: What stands in a field. NaN is not equal to itself, and a list cannot be hashed.
CONTENTS = st.one_of(
    st.integers(-2, 2), st.sampled_from(["", "a", "b"]), st.none(), st.just(float("nan")), st.just([1])
)
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


@dataclasses.dataclass
class Spec:
    """One field: whether it has a default, or a factory of one, and whether it is shown."""

    kind: str
    default: object
    is_shown: bool


def specs() -> st.SearchStrategy[list[Spec]]:
    """Return the fields of a class: those without a default first, as Python demands."""
    hashable = CONTENTS.filter(lambda value: not isinstance(value, list))
    spec = st.builds(Spec, st.sampled_from(["bare", "plain", "default", "factory"]), hashable, st.booleans())
    return st.lists(spec, max_size=len(NAMES)).map(lambda found: sorted(found, key=lambda item: item.kind != "bare"))


def made(fields: list[Spec], library: Any, decorator: Any) -> Any:  # noqa: ANN401 -- one of two libraries
    """Make a class of fields, by our decorator or by that of the standard library."""
    names = NAMES[: len(fields)]
    namespace: dict[str, Any] = {"__annotations__": dict.fromkeys(names, "object"), "__doc__": "A class."}
    for name, spec in zip(names, fields, strict=True):
        if spec.kind == "plain":
            namespace[name] = spec.default
        elif spec.kind == "default":
            namespace[name] = library.field(default=spec.default, repr=spec.is_shown)
        elif spec.kind == "factory":
            namespace[name] = library.field(default_factory=list, repr=spec.is_shown)
        elif not spec.is_shown:
            namespace[name] = library.field(repr=False)
    return decorator(type("Made", (), {**namespace, "__module__": __name__, "__qualname__": "Outer.Made"}))


def both(fields: list[Spec], *, order: bool) -> tuple[Any, Any]:
    """Make the class twice."""
    theirs = dataclasses.dataclass(frozen=True, slots=True, order=order)
    return made(fields, ours, ours.frozen_ordered if order else ours.frozen), made(fields, dataclasses, theirs)


def outcome(work: Any, *arguments: Any) -> object:  # noqa: ANN401 -- anything
    """Return what came of it, or the kind of error."""
    try:
        return work(*arguments)
    except (TypeError, AttributeError) as error:
        # FrozenInstanceError is an AttributeError, which is what callers may rely on.
        return AttributeError if isinstance(error, AttributeError) else type(error)


def shown(value: object) -> object:
    """Return what can be seen of a value, or the kind of error that it is."""
    return repr(value) if not isinstance(value, type) else value


ARGUMENTS = st.tuples(st.lists(CONTENTS, max_size=5), st.dictionaries(st.sampled_from([*NAMES, "other"]), CONTENTS))


@given(specs(), ARGUMENTS)
def test_made_and_shown(fields: list[Spec], arguments: tuple[list[object], dict[str, object]]) -> None:
    """Arguments are taken, or refused, alike; defaults are filled in alike, and ``repr`` shows the same."""
    mine, theirs = both(fields, order=False)
    values = [outcome(lambda cls=cls: cls(*arguments[0], **arguments[1])) for cls in (mine, theirs)]
    assert shown(values[0]) == shown(values[1])
    assert mine.__match_args__ == theirs.__match_args__
    assert mine.__slots__ == theirs.__slots__
    assert (mine.__doc__, mine.__module__, mine.__qualname__) == (
        theirs.__doc__,
        theirs.__module__,
        theirs.__qualname__,
    )


@given(st.integers(0, len(NAMES)), st.booleans(), st.data())
def test_compared(size: int, order: bool, data: st.DataObject) -> None:  # noqa: FBT001 -- drawn
    """Equality, order, hash: the same answers, or the same refusals; values of two classes are never equal."""
    fields = [Spec("bare", None, is_shown=True)] * size
    mine, theirs = both(fields, order=order)
    contents = st.lists(CONTENTS, min_size=size, max_size=size)
    first, second = data.draw(contents), data.draw(contents)
    for name in COMPARISONS:
        compare = getattr(operator, name)
        assert outcome(compare, mine(*first), mine(*second)) == outcome(compare, theirs(*first), theirs(*second))
    assert outcome(hash, mine(*first)) == outcome(hash, theirs(*first)) or size == 0
    assert mine(*first) != theirs(*first)
    assert outcome(operator.lt, mine(*first), 1) is TypeError


@given(specs(), st.data())
def test_changed_and_copied(fields: list[Spec], data: st.DataObject) -> None:
    """No field can be set, deleted or added; a copy, a deep one, a pickled one and a replacement are what they should be."""
    mine, theirs = both(fields, order=False)
    contents = [data.draw(CONTENTS.filter(lambda value: value == value)) for _ in fields]  # noqa: PLR0124 -- no NaN
    value, their = mine(*contents), theirs(*contents)
    for name in (*NAMES[: len(fields)], "other"):
        assert outcome(setattr, value, name, 1) is AttributeError
        assert outcome(delattr, value, name) is AttributeError
        change = {name: "new"}
        new = outcome(lambda: ours.replace(value, **change))  # noqa: B023 -- called at once
        assert shown(new) == shown(outcome(lambda: dataclasses.replace(their, **change)))  # noqa: B023 -- the same
    assert copy.copy(value) == copy.deepcopy(value) == value
    assert repr(value) == repr(their)
    with pytest.raises(AttributeError):
        _ = value.__dict__


@given(specs(), st.booleans())
def test_signature(fields: list[Spec], is_made: bool) -> None:  # noqa: FBT001 -- drawn
    """``inspect`` and ``help`` show fields, types and defaults, before the first value is made and after it."""
    mine, theirs = both(fields, order=False)
    if is_made:
        mine(*range(len(fields)))
    assert str(inspect.signature(mine)) == str(inspect.signature(theirs))
    assert str(inspect.signature(mine.__init__)) == f"(self{', ' * bool(fields)}{str(inspect.signature(theirs))[1:]}"
    assert mine(*range(len(fields))) == mine(*range(len(fields)))


def test_help() -> None:
    """``help`` shows what a value takes, and nothing of how it is made."""
    text = pydoc.plain(pydoc.render_doc(Origin))
    assert "class Origin(builtins.object)\n |  Origin(" in text
    assert "*args" not in text


def test_a_boot_makes_no_signature() -> None:
    """Making classes and values imports nothing for it."""
    code = "import sys; from dms_relay.model import Origin; Origin('x'); print('inspect' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


def test_factories_make_each_value_its_own() -> None:
    """Two values do not share what a factory made."""
    one, other = PostfixConfig(), PostfixConfig()
    one.tables["a"] = "b"
    assert other.tables == {}


def test_pickled() -> None:
    """A value survives pickling, also one with fields of its own kind."""
    for value in (Origin("x", 1, 2), Login("u", "p"), PostfixConfig({"a": "b"})):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 -- our own


def test_methods_of_the_class_stay() -> None:
    """What a class defines itself is not replaced: a login hides its password."""
    assert repr(Login("user", "s3cret")) == "Login(username='user')"


def test_errors_name_the_class() -> None:
    """A frozen value says what cannot be changed."""
    with pytest.raises(AttributeError, match=r"^Origin\.line is frozen$"):
        Origin("x").line = 3  # type: ignore[misc]
