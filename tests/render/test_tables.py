"""Whatever is rendered, Postfix reads back as it was meant: keys, user names, passwords and nexthops."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from dms_relay import InputError, Paths, merge, read, render
from tests.support.amounts import amount
from tests.support.rested import write_rested

if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay import RelayConfig

PROPERTY = settings(max_examples=amount(60, 2000), deadline=None, suppress_health_check=list(HealthCheck))

# Octets that something in between could take for a blank, a line end, a quote, a comment or a variable.
odd = st.sampled_from("ab:#$\"'\\{}<>[]@,;=| \t\x01\x0b\x0c\x1c\x7f\x85\u00a0\u2028\ufeffüßİ😀")
texts = st.text(odd | st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=10)
locals_ = st.text(st.sampled_from("ab+.<>'#$%&*üß") | st.characters(codec="utf-8"), max_size=6)
domains = st.sampled_from(["a.test", "B.test", "bücher.test", "xn--x.test"])
keys = st.builds("{}@{}".format, locals_, domains) | st.sampled_from(["[r.test]", "R.test", "r.test:25", "[::1]:587"])
nexthops = st.sampled_from(["[r.test]:587", "r.test", "[a]:25, b:25", "a,\tb", "[::1]", "bücher.test:25"])
blanks = st.sampled_from([" ", "\t", "  \t"])
endings = st.sampled_from(["\n", "\r\n", " \t\n"])


@dataclass(frozen=True)
class SecretPlace:
    """Directories, and the file in which Postfix is given a table."""

    paths: Paths

    def write(self, name: str, lines: list[str]) -> None:
        """Write an input."""
        write_rested(self.paths.config_dir / name, "".join(lines).encode())

    def config(self, env: dict[str, str]) -> RelayConfig | None:
        """Read and merge; ``None`` where an input is refused."""
        try:
            return merge(read(self.paths, env))
        except InputError:
            return None

    def read_back(self, text: str) -> list[tuple[str, str]]:
        """Return the entries that Postfix reads from a table; a warning of its own is a failure."""
        path = self.paths.table("table")
        write_rested(path, text.encode())
        os.utime(path, (0, 0))
        command = ["postmap", "-c", str(self.paths.postfix_dir), "-s", f"texthash:{path}"]
        done = subprocess.run(command, capture_output=True, check=True)
        assert done.stderr == b""
        lines = (line.partition("\t") for line in done.stdout.decode().split("\n") if line)
        return [(key, value) for key, _, value in lines]


@pytest.fixture
def place(tmp_path: Path) -> SecretPlace:
    """Return a pair of directories for all examples of a test."""
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n")
    os.utime(tmp_path / "main.cf", (0, 0))
    return SecretPlace(Paths(tmp_path, tmp_path))


def same(found: list[tuple[str, str]], meant: dict[str, str]) -> bool:
    """Return True if entries are those that are meant; of a key, letter case does not count."""
    folded = {key.casefold(): value for key, value in found}
    return len(found) == len(meant) and folded == {key.casefold(): value for key, value in meant.items()}


@pytest.mark.soak
@PROPERTY
@given(st.lists(st.builds("{}{}{}:{}{}".format, keys, blanks, texts, texts, endings), max_size=4))
def test_logins_of_the_file(place: SecretPlace, lines: list[str]) -> None:
    """Each login that is taken from the file reaches Postfix as it stands, its outer blanks trimmed."""
    place.write("postfix-relaymap.cf", [])
    place.write("postfix-sasl-password.cf", lines)
    config = place.config({})
    if config is None:
        place.write("postfix-sasl-password.cf", lines[:1])
        config = place.config({})
    assume(config is not None)
    assert config is not None
    event(f"{len(config.logins or ())} logins")
    meant = {entry.key: entry.login.table_value for entry in config.logins or ()}
    assert same(place.read_back(render(config, place.paths).tables["sasl_passwd"]), meant)


@pytest.mark.soak
@PROPERTY
@given(texts, texts)
def test_login_of_the_environment(place: SecretPlace, username: str, password: str) -> None:
    """The login of the environment reaches Postfix character for character, or is refused."""
    config = place.config({"DEFAULT_RELAY_HOST": "[r.test]", "RELAY_USER": username, "RELAY_PASSWORD": password})
    refused = ":" in username or any(text != text.strip(" \t\v\f") for text in (username, password))
    assert (config is None) == refused
    if config is not None:
        found = place.read_back(render(config, place.paths).tables["sasl_passwd"])
        assert found == [("[r.test]", f"{username}:{password}")]


@pytest.mark.soak
@PROPERTY
@given(st.lists(st.builds("{}{}{}{}".format, keys, blanks, nexthops, endings), max_size=4), st.lists(domains))
def test_routes(place: SecretPlace, lines: list[str], managed: list[str]) -> None:
    """Each route that is taken reaches Postfix as it stands, and no key stands twice."""
    place.write("postfix-relaymap.cf", lines)
    place.write("vhost", [f"{domain}\n" for domain in managed])
    config = place.config({"RELAY_HOST": "relay.test"})
    assume(config is not None)
    assert config is not None
    meant = {route.key: route.nexthops.text for route in config.routes}
    assert len(meant) == len(config.routes)
    assert same(place.read_back(render(config, place.paths).tables["relayhost_map"]), meant)
