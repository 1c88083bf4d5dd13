"""Each configuration of ``cases/``: what ``import`` makes of it, and that mail takes the same way with that as before."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.migrate.scene import Document, Explained, Scene, case, names
from tests.support.table_types import require_indexes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _indexes() -> None:
    """Hold these tests to the table types that the cases have."""
    require_indexes()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", names())
def test_case(name: str, tmp_path: Path) -> None:
    """What is written and said stands in the case, and ``explain`` agrees before and after, on the machine itself."""
    document = case(name)
    scene = Scene(tmp_path, document)
    result = scene.run_import("--json", "--output", str(scene.output), "--from", document["from"])
    assert result.out, result.err
    assert found(scene, result.out, result.code) == document["expected"]
    assert not leaked(scene, result.out + result.err)
    if not document.get("mail"):
        return
    machines = [scene.after()]
    if document["from"] == "main.cf" and "broken" not in document:
        machines.append(scene.before)
    for machine in map(Explained, machines):
        assert [[*mail[:2], machine.way(*mail[:2])] for mail in document["mail"]] == document["mail"]


def found(scene: Scene, out: str, code: int) -> Document:
    """Return what was written and said, as a case has it."""
    said = json.loads(out)
    text = (scene.output / "relay.yaml").read_text("utf-8")
    secrets = {path.name: path.read_text("utf-8", "replace") for path in sorted((scene.output / "secrets").glob("*"))}
    keys = {"parameters": said["postfix_main_cf"], "variables": said["variables"]}
    keys |= {name: [scene.shown(line(one)) for one in said[name]] for name in ("not_taken", "notes")}
    keys["differs"] = [[d["sender"], d["recipient"], d["before"], d["after"]] for d in said["differences"]]
    document = {"code": code, "relay_yaml": yaml.safe_load(scene.shown(text)), "passwords": secrets, **keys}
    return {name: value for name, value in document.items() if value or name == "code"}


def line(left: dict[str, str]) -> str:
    """Return what was left as the report prints it."""
    return f"{left['origin']}: {left['text']} -- {left['remedy']}"


def leaked(scene: Scene, text: str) -> list[str]:
    """Return the passwords that a text shows."""
    secrets = [path.read_text("utf-8", "replace") for path in (scene.output / "secrets").glob("*")]
    return [secret for secret in secrets if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text) and len(secret) > 3]


def test_there_are_enough_cases_of_each_kind() -> None:
    """Each source has its cases, and no case is there without an expectation."""
    documents = [case(name) for name in names()]
    assert {document["from"] for document in documents} == {"main.cf", "relay.sh", "bokysan", "juanluisbaptiste"}
    assert all("expected" in document and document["about"] for document in documents)


def test_whatever_is_not_the_same_is_said() -> None:
    """Exit code 0 means that nothing was left and nothing differs; 1, that the report says what."""
    for name in names():
        expected = case(name)["expected"]
        is_said = bool(expected.get("not_taken") or expected.get("differs"))
        assert (expected["code"] == 1) == is_said, name


def test_files_are_private(tmp_path: Path) -> None:
    """All that is written is for its owner alone, since main.cf's parameters can hold a login too."""
    scene = Scene(tmp_path, case("bokysan-ses"))
    scene.run_import("--output", str(scene.output))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in scene.output.rglob("*")}
    assert modes.pop("secrets") == 0o700
    assert set(modes) > {"relay.yaml", "postfix-main.cf", "container.env"}
    assert set(modes.values()) == {0o600}
