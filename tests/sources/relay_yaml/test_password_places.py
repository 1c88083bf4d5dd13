"""Where relay.yaml has its passwords: noted while it is read, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from dms_relay.checks import check
from dms_relay.model import Origin, Paths
from dms_relay.sources import read
from dms_relay.sources.secrets import SecretPlace, secret_places
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

#: What a login can say of its password: also what is wrong, and more than one of it.
PASSWORDS = st.dictionaries(
    st.sampled_from(["password", "password_file", "password_env", "pasword"]),
    st.sampled_from(["plain", "/secret/file", "SECRET", "NAMED", "not a name", ""]),
    max_size=3,
)
LOGINS = PASSWORDS.map(lambda password: {"username": "u", **password})
RELAYS = st.dictionaries(
    st.sampled_from("abc"),
    st.fixed_dictionaries({"host": st.just("r.test")}, optional={"login": LOGINS, "hots": st.just("r.test")}),
    min_size=1,
)
SENDERS = st.dictionaries(
    st.sampled_from(["a.test", "b.test", "<>", "boss@a.test"]),
    st.one_of(
        st.sampled_from("ab"), st.fixed_dictionaries({"relay": st.sampled_from("ax")}, optional={"login": LOGINS})
    ),
)
ENV = {"SECRET": "s", "NAMED__FILE": "/secret/named"}


def logins(node: yaml.Node | None) -> Iterator[dict[str, yaml.Node]]:
    """Yield every login of a document."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == "login" and isinstance(value, yaml.MappingNode):
            yield {name.value: found for name, found in value.value}
        else:
            yield from logins(value)


def expected(text: str, file: Path) -> Iterator[tuple[str, Any]]:
    """Yield source and path of each place, as it follows from all nodes of a text, read apart from the product."""
    for login in logins(yaml.compose(text)):
        named = next((name for name in ("password", "password_file", "password_env") if name in login), "")
        value = login[named].value if named else ""
        if named == "password":
            yield "relay.yaml", str(file)
        elif named == "password_file" and value == "/secret/file":
            yield str(origin(login[named])), value
        elif named == "password_env" and value in {"SECRET", "NAMED"}:
            yield str(origin(login[named])), None if value == "SECRET" else "/secret/named"


def origin(node: yaml.Node) -> Origin:
    """Return the place of a node."""
    return Origin("relay.yaml", node.start_mark.line + 1, node.start_mark.column + 1)


def found(place: SecretPlace) -> tuple[str, str | None]:
    """Return a place in the form of ``expected``; a file whose name cannot be used has none."""
    return str(place.origin), str(place.path) if place.path else None


@given(relays=RELAYS, senders=SENDERS)
def test_each_place_is_found(
    tmp_path_factory: pytest.TempPathFactory, relays: dict[str, Any], senders: dict[str, Any]
) -> None:
    """Each login's password has its place, whether the rest of the file is right or wrong.

    Not so where the name of the relay or of the sender is refused: what is below it is not read further.
    """
    sandbox = Sandbox(tmp_path_factory.mktemp("places"))
    text = yaml.safe_dump({"version": 1, "relays": relays, "senders": senders}, sort_keys=False)
    file = sandbox.write("relay.yaml", text)
    paths = Paths(sandbox.config_dir, sandbox.postfix_dir)
    places = secret_places(paths, ENV, read(paths, ENV))
    assert {pair for pair in map(found, places) if pair[1] != "."} == set(expected(text, file))


def test_relay_yaml_is_parsed_once(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """``check`` goes through relay.yaml once, which with 100,000 senders is most of what it costs."""
    parsed: list[str] = []
    parse = yaml.parse

    def noting_parse(text: str, **options: Any) -> Iterator[yaml.Event]:  # noqa: ANN401 -- PyYAML's own
        parsed.append(text)
        return parse(text, **options)

    monkeypatch.setattr(yaml, "parse", noting_parse)
    login = "login: {username: u, password: p}"
    text = f"version: 1\nrelays:\n  r: {{host: r.test, {login}}}\ndefault: r\n"
    sandbox.write("relay.yaml", text).chmod(0o644)
    findings = check(Paths(sandbox.config_dir, sandbox.postfix_dir), {}).findings
    assert parsed == [text]
    assert "secret-readable" in {finding.rule for finding in findings}
