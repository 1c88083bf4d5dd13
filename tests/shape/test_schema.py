"""``dms-relay schema``: the JSON Schema of relay.yaml, held against what the reader itself takes and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dms_relay import Paths, read
from dms_relay.shape import Either, Flag, Items, Keys, Number, Shape, Table, Text
from dms_relay.shape.schema import json_schema
from dms_relay.sources.relay_yaml.keys import RELAY_FILE
from tests.invalid_inputs import Wrong, relay_yaml_hosts, relay_yaml_logins, relay_yaml_structure
from tests.support.amounts import amount
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

ROOT = Path(__file__).parents[2]
NAME = "relay.yaml"
NOT_SET = "the variable it names is not set"
SCHEMA: dict[str, Any] = json_schema(RELAY_FILE, "relay.yaml of dms-relay")
VALIDATOR = Draft202012Validator(SCHEMA)
#: A fenced block of Markdown, with the blanks before it.
FENCED = re.compile(r"^([ ]*)```ya?ml\n(.*?)^[ ]*```", re.MULTILINE | re.DOTALL)


def test_the_command_prints_it(sandbox: Sandbox) -> None:
    """It is one JSON object, the schema of the reader's own definition, and a valid schema of draft 2020-12."""
    result = sandbox.run("schema")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_it_reads_no_input(sandbox: Sandbox) -> None:
    """An editor asks for it before the file is right, and where nothing is installed."""
    sandbox.write(NAME, "[")
    (sandbox.postfix_dir / "main.cf").unlink()
    assert sandbox.run("schema", env={"RELAY_ROUTING": "x"}).code == 0


def descriptions(shape: Shape, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each help of a shape, with what the schema says there."""
    match shape:
        case Keys(keys=keys):
            for name, value in keys.items():
                below = schema["properties"][name]
                if not isinstance(value, Either):
                    yield value.help, below.get("description", "")
                yield from descriptions(value, below)
        case Table(value=value):
            yield from descriptions(value, schema["additionalProperties"])
        case Either(keys=keys):
            yield from descriptions(keys, schema["oneOf"][1])


def test_an_editor_can_say_what_a_key_means() -> None:
    """Whatever help the definition has, the schema has as a description."""
    found = list(descriptions(RELAY_FILE, SCHEMA))
    assert len(found) >= 20
    assert [said for help_, said in found if help_ != said] == []


# The examples.


def examples() -> list[tuple[str, str]]:
    """Return every relay.yaml among the examples and in the documentation, with its name."""
    files = [path for path in sorted(ROOT.glob("examples/**/*.y*ml")) if is_ours(path.read_text("utf-8"))]
    found = [(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in files]
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("examples/**/*.md"))]:
        for match in FENCED.finditer(path.read_text("utf-8")):
            text = "".join(line.removeprefix(match[1]) for line in match[2].splitlines(keepends=True))
            if is_ours(text):
                line = path.read_text("utf-8").count("\n", 0, match.start()) + 2
                found.append((f"{path.relative_to(ROOT)}:{line}", text))
    return found


def is_ours(text: str) -> bool:
    """Return True if a text begins, after comments, as relay.yaml does."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return lines[:1] == ["version: 1"] or (lines[:1] or [""])[0].startswith("version: 1 ")


def test_every_example_is_valid() -> None:
    """What the examples and the documentation show is valid against the schema."""
    wrong = {name: errors_of(text) for name, text in examples()}
    assert {name: errors for name, errors in wrong.items() if errors} == {}


def test_every_example_can_be_read(sandbox: Sandbox) -> None:
    """The reader takes them too, but for the secrets that are not there."""
    for name, text in examples():
        sandbox.write(NAME, text)
        errors = [
            problem for problem in read(Paths(sandbox.config_dir, sandbox.postfix_dir), {}).problems if problem.is_error
        ]
        others = [problem for problem in errors if not problem.is_missing and problem.text != NOT_SET]
        assert (name, [str(problem) for problem in others]) == (name, [])


def errors_of(text: str) -> list[str]:
    """Return what the schema finds wrong with a file."""
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


# What the reader refuses.

#: Mistakes that lie in one value or in the keys of one mapping; what takes more to see, no schema can say.
STRUCTURE = (
    "a list",
    "a text",
    "no value",
    "no version",
    "version 2",
    "version in quotes",
    "an unknown key",
    "a key unlike any",
    "an unknown key of a relay",
    "an unknown key of tls",
    "an unknown key of a sender",
    "relays as a list",
    "no relays below it",
    "default as a list",
    "senders as a list, recipients as a text",
    "relay name A",
    "relay name a_b",
    "relay name a.b",
    'relay name "a b"',
    'relay name "<>"',
    "relay name direct",
    'relay name ""',
    "a long relay name",
    "host: no",
    "host: yes",
    "host: 0123",
    "host: 1:30",
    "host: 12",
    "host: 1.5",
    "host: null",
    "host: ~",
    "host: nothing",
    "host: [r.test]",
    "host: {r.test: 25}",
    'host: ""',
    "a level",
    "a match",
    "port 0",
    "port 65536",
    "port -1",
    "port abc",
    'port "587"',
    "port 1.5",
    "port [25]",
    "port null",
    "a relay as a text",
    "a relay as a list",
    "a relay without a value",
    "no host",
    "host beside hosts",
    "hosts as a text",
    "hosts as an empty list",
    "mx as a text",
    "tls as a text",
    "an unknown level",
    "a level in capitals",
    "an unknown mode",
    "level fingerprint with an empty list",
    "a fingerprint that is a number",
    "a relative CA file",
    "login: a text",
    "login: a list",
    "login: no value",
    "no user name",
    "login: no password",
    "two passwords",
    "unknown keys",
    "login: a key unlike any",
    "a colon in the user name",
    "a user name that is a number",
    "login keys of a relay",
    "a relative file",
    "a number in place of a file",
    "a dollar sign",
    "password: no",
    "password: 12",
    "password: null",
    "password: nothing",
    "password: a closed bracket",
    "password: braces",
    "password: a comma",
)
CASES = {case.name: case for case in (*relay_yaml_structure.CASES, *relay_yaml_hosts.CASES, *relay_yaml_logins.CASES)}


@pytest.mark.parametrize("name", STRUCTURE)
def test_what_the_reader_refuses_is_invalid(name: str) -> None:
    """A file whose structure the reader refuses is invalid against the schema."""
    assert errors_of(text_of(CASES[name])) != []


def text_of(case: Wrong) -> str:
    """Return the text of a wrong file."""
    text = case.files[NAME]
    assert isinstance(text, str)
    return text


# What the reader takes.


def of(shape: Shape, name: str = "") -> SearchStrategy[Any]:
    """Return values of a shape; ``name`` is the key that they stand at."""
    values: SearchStrategy[Any]
    match shape:
        case Number():
            values = st.integers(shape.minimum, shape.maximum)
        case Flag():
            values = st.booleans()
        case Items():
            values = st.lists(of(shape.item, name), min_size=1, max_size=3)
            values = values | of(shape.item, name) if shape.or_one else values
        case Keys():
            values = _keys(shape)
        case Table():
            values = st.dictionaries(of(shape.key, name), of(shape.value), max_size=3)
        case Either():
            values = of(shape.text) | of(shape.keys)
        case Text():
            values = st.sampled_from(shape.choices) if shape.choices else TEXTS.get(name, st.just(ROUTE))
    return values


@st.composite
def _keys(draw: st.DrawFn, shape: Keys) -> dict[str, Any]:
    alternatives = {name for names in shape.one_of for name in names}
    chosen = {draw(st.sampled_from(names)) for names in shape.one_of}
    free = sorted(shape.keys.keys() - alternatives - set(shape.required))
    others = draw(st.lists(st.sampled_from(free), unique=True)) if free else []
    for names in shape.at_most_one:
        others = [name for name in others if name not in names or name == next(n for n in others if n in names)]
    return {name: draw(of(shape.keys[name], name)) for name in (*shape.required, *sorted(chosen), *others)}


@st.composite
def relay_files(draw: st.DrawFn) -> dict[str, Any]:
    """Return files of the right shape, whose routes name relays that are there."""
    file: dict[str, Any] = draw(of(RELAY_FILE))
    names = st.sampled_from([*file.get("relays", {}), "direct"])

    def routed(value: Any) -> Any:  # noqa: ANN401 -- whatever the shape says
        if isinstance(value, dict):
            return {key: routed(below) for key, below in value.items()}
        return draw(names) if value == ROUTE else value

    return {key: routed(value) for key, value in file.items()}


#: Stands for the name of a relay until it is known which there are.
ROUTE = "a route"
LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
LOCAL = st.from_regex(r"[A-Za-z0-9.+_=-]{1,8}", fullmatch=True)
ADDRESS = st.tuples(LOCAL, DOMAIN).map("@".join)
CHARACTERS = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Cc", "Zs", "Cf"))
WORDS = st.text(CHARACTERS, min_size=1, max_size=12)
DIGEST = st.binary(min_size=32, max_size=32).map(lambda octets: octets.hex(":"))
#: For each key that has a text: texts that the reader takes.
TEXTS = {
    "host": DOMAIN,
    "hosts": DOMAIN | st.tuples(DOMAIN, st.integers(1, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
    "relays": st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True).filter(lambda name: name != "direct"),
    "senders": st.just("<>") | DOMAIN | DOMAIN.map("@{}".format) | ADDRESS,
    "recipients": DOMAIN | DOMAIN.map(".{}".format) | ADDRESS,
    "match": DOMAIN | DOMAIN.map(".{}".format) | st.sampled_from(["nexthop", "dot-nexthop", "hostname"]),
    "fingerprints": DIGEST | DIGEST.map(lambda text: text.replace(":", "").upper()),
    "username": WORDS.map(lambda text: text.replace(":", ";")),
    "password": WORDS,
    "password_file": st.just("{password}"),
    "password_env": st.just("SECRET_OF_A_RELAY"),
    "ca_file": st.just("{ca}"),
    "tenant": DOMAIN,
    "client_id": st.from_regex(r"[!-~]{1,12}", fullmatch=True),
    "client_secret": st.from_regex(r"[!-~]{1,12}", fullmatch=True),
    "client_secret_file": st.just("{password}"),
    "client_secret_env": st.just("SECRET_OF_A_RELAY"),
    "client_certificate_file": st.just("{ca}"),
    "client_key_file": st.just("{key}"),
    "refresh_token_file": st.just("{password}"),
    "refresh_token_env": st.just("SECRET_OF_A_RELAY"),
    "service_account_file": st.just("{account}"),
    "scope": st.from_regex(r"[a-z:/.]{1,9}( [a-z]{1,3})?", fullmatch=True),
    **dict.fromkeys(("token_url", "device_url", "authorization_url"), DOMAIN.map("https://{}/token".format)),
}
KEY = "-----BEGIN PRIVATE KEY-----\n"
#: What the reader may find wrong with a file of the right shape: it takes more than one key, or two names that are the same.
BEYOND = re.compile(
    "the key is already at |level |port 2?465 and|implicit TLS|mail that goes direct|the null sender|mx with|"
    # What of OAuth2 does not fit together.
    "nothing says |provider |client_id is |a certificate |Microsoft identifies|Google |grant |tenant |service accounts |"
    "client_|refresh_token|.* takes no token|.* uses a token"
)


@pytest.mark.soak
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    max_examples=amount(50, 1500),
    deadline=None,
)
@given(file=relay_files(), flow=st.booleans() | st.none())
@example(file={"version": 1, "default": "a", "relays": {"a": {"hosts": ["a", "a:2465"]}}}, flow=None)
def test_what_is_made_from_the_shape(
    tmp_path_factory: pytest.TempPathFactory,
    file: dict[str, Any],
    flow: bool | None,  # noqa: FBT001 -- hypothesis gives it by name
) -> None:
    """A file with the right keys and values is valid; the reader complains only of what takes more than one key to see."""
    sandbox = Sandbox(tmp_path_factory.mktemp("box"))
    text = yaml.safe_dump(file, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    text = text.replace("{password}", str(sandbox.write("password", "s3cret\n")))
    text = text.replace("{ca}", str(sandbox.write("ca.pem", "-----BEGIN CERTIFICATE-----\n")))
    text = text.replace("{key}", str(sandbox.write("key.pem", KEY)))
    account = json.dumps({"client_email": "a@b.test", "private_key": KEY})
    text = text.replace("{account}", str(sandbox.write("account.json", account)))
    sandbox.write(NAME, text)
    assert errors_of(text) == []
    problems = read(Paths(sandbox.config_dir, sandbox.postfix_dir), {"SECRET_OF_A_RELAY": "s3cret"}).problems
    assert [str(problem) for problem in problems if not BEYOND.match(problem.text)] == []
