"""The JSON Schema and the reader say the same of each text in ASCII; of another, the schema takes no less."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dms_relay import Paths, read
from tests.shape.test_schema import SCHEMA
from tests.support.amounts import amount
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "relay.yaml"
#: What the reader says of a value that is right by itself.
BEYOND = re.compile("the variable it names is not set|the file that it names|level ")
LEVEL = {"level": "encrypt"}
DIGEST = "AB:" * 31 + "CD"


def relay(**keys: Any) -> dict[str, Any]:  # noqa: ANN401 -- as in YAML
    """Return a file with one relay that has these keys."""
    return {"version": 1, "relays": {"r": {"host": "r.test", "tls": LEVEL, **keys}}, "default": "r"}


def login(**keys: str) -> dict[str, Any]:
    """Return a file whose relay has a login with these keys."""
    return relay(login={"username": "u", "password": "p", **keys})


#: For each text of relay.yaml: a file that has it.
FILES: dict[str, Callable[[str], dict[str, Any]]] = {
    "host": lambda text: {"version": 1, "relays": {"r": {"host": text, "tls": LEVEL}}, "default": "r"},
    "hosts": lambda text: {"version": 1, "relays": {"r": {"hosts": [text], "tls": LEVEL}}, "default": "r"},
    "name": lambda text: {"version": 1, "relays": {text: {"host": "r.test", "tls": LEVEL}}},
    "username": lambda text: login(username=text),
    "password": lambda text: login(password=text),
    "password_file": lambda text: relay(login={"username": "u", "password_file": text}),
    "password_env": lambda text: relay(login={"username": "u", "password_env": text}),
    "ca_file": lambda text: relay(tls={**LEVEL, "ca_file": text}),
    "match": lambda text: relay(tls={"level": "secure", "match": text, "ca_file": "/ca.pem"}),
    "fingerprints": lambda text: relay(tls={"fingerprints": [text]}),
    "level": lambda text: relay(tls={"level": text, "match": "a.test", "ca_file": "/ca.pem"}),
    "mode": lambda text: relay(tls={**LEVEL, "mode": text}),
    "senders": lambda text: {**relay(), "senders": {text: "r"}},
    "recipients": lambda text: {**relay(), "recipients": {text: "r"}},
}
#: Texts that are right somewhere, from which others are made by a slip or two.
SEEDS = (
    *(
        "r.test",
        "[r.test]:587",
        "r.test:587",
        "[r.test]",
        "192.0.2.1",
        "192.0.2.1:25",
        "[192.0.2.1]:65535",
        "2001:db8::1",
    ),
    *(
        "[2001:db8::1]:587",
        "::",
        "::1",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:192.0.2.1",
        "::ffff:192.0.2.1",
        "1:2:3:4:5:6:7::",
    ),
    *(
        "ipv6:::1",
        "a-b.c_d.test",
        "_",
        "mail",
        "me@a.test",
        "@a.test",
        ".a.test",
        "<>",
        "*",
        "*@a.test",
        "#a@b.test",
        "direct",
    ),
    *("/run/secrets/pw", "/ca.pem", "SES_PASSWORD", DIGEST, DIGEST.replace(":", ""), "AB:CD", "nexthop", "dot-nexthop"),
    *(
        " a blank",
        "secure",
        "encrypt",
        "implicit",
        "starttls",
        "u:p",
        "user name",
        "a\tb",
        "r.test:submission",
        "r.test:00025",
        "1.2.3",
    ),
    *("a" * 63, "a" * 64, ".".join(["a" * 49] * 5), ".".join(["a" * 51] * 5), "x" * 320, "1.2.3.04", "r.test.", "a..b"),
)
CHARACTERS = st.sampled_from("a0Z_-.:@[]/ \t\n\r#*<>\"'\\$%{}(),=~+9f\0\x7f\u00e4\u00a0\u4e2d")


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return a seed with up to three characters put in, taken out or replaced."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.just("") | CHARACTERS) + text[at + draw(st.integers(0, 1)) :]
    return text


def is_valid(document: object, schema: dict[str, Any] = SCHEMA) -> bool:
    """Return True if the schema takes a document, whose patterns are read as ECMA-262 does: ``$`` is the very end."""
    from jsonschema import Draft202012Validator, ValidationError, validators  # noqa: PLC0415 -- slow to import

    def pattern(_validator: object, text: str, value: object, _schema: object) -> Any:  # noqa: ANN401 -- as jsonschema has it
        if isinstance(value, str) and not re.search(text.replace("$", r"\Z"), value):
            yield ValidationError("no match")

    extended = validators.extend(Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call]
    return bool(extended(schema).is_valid(document))


def is_taken(sandbox: Sandbox, document: object) -> bool:
    """Return True if the reader takes a document, but for what it cannot know of a value by itself."""
    sandbox.write(NAME, yaml.safe_dump(document, allow_unicode=True))
    problems = read(Paths(sandbox.config_dir, sandbox.postfix_dir), {}).problems
    return all(BEYOND.match(problem.text) for problem in problems if problem.is_error)


@pytest.mark.parametrize("place", FILES)
@pytest.mark.soak
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    max_examples=amount(50, 1500),
    deadline=None,
)
@given(text=texts())
@example(text="AB:CD")
@example(text="")
def test_they_agree(tmp_path_factory: pytest.TempPathFactory, place: str, text: str) -> None:
    """Whatever text stands at a key, an editor shows an error where ``check`` does."""
    sandbox = Sandbox(tmp_path_factory.mktemp("box"))
    document = FILES[place](text)
    taken, valid = is_taken(sandbox, document), is_valid(document)
    assert taken <= valid
    assert not text.isascii() or taken == valid


@pytest.mark.parametrize("place", FILES)
def test_each_seed(sandbox: Sandbox, place: str) -> None:
    """The same of each text that others are made from; some are right at each key, and some are wrong."""
    found = {}
    for text in SEEDS:
        document = FILES[place](text)
        found[text] = (is_taken(sandbox, document), is_valid(document))
    assert {text: pair for text, pair in found.items() if pair[0] != pair[1]} == {}
    assert {pair[0] for pair in found.values()} == {True, False}
