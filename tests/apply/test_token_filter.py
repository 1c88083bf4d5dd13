"""``smtp_sasl_mechanism_filter`` of main.cf: no password goes as a token, and what the operator has there is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.plan import found
from dms_relay.postfix import sasl_plugin
from tests.apply.token_scene import FILTER, Scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

OURS = "!xoauth2, !oauthbearer, static:all"


def test_operators_filter_stays_behind_ours(scene: Scene) -> None:
    """What main.cf permits is kept, less the two; when the relay goes, it is what it was."""
    with scene.sandbox.main_cf.open("a") as file:
        file.write(f"{FILTER} = plain, login\n")
    scene.run("apply")
    assert scene.sandbox.postconf_n()[FILTER] == "!xoauth2, !oauthbearer, plain, login"
    (scene.sandbox.config_dir / "relay.yaml").unlink()
    scene.sandbox.run("apply", "--from-scratch", env=scene.env)
    assert scene.sandbox.postconf_n()[FILTER] == "plain, login"


@pytest.mark.parametrize("way", ["value", "name", ""])
def test_passwords_of_main_cf_never_go_as_tokens(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Where smtp(8) finds our plugin, main.cf keeps passwords from it also while no login takes a token."""
    (tmp_path / sasl_plugin.PLUGIN).touch()
    monkeypatch.setenv("SASL_PATH", str(tmp_path if way == "name" else sandbox.config_dir))
    with sandbox.main_cf.open("a") as file:
        imported = {"value": f"SASL_PATH={tmp_path}", "name": "SASL_PATH", "": "SASL_PATH"}[way]
        file.write(f"import_environment = MAIL_CONFIG, {imported}\n")
    login = {"RELAY_USER": "u", "RELAY_PASSWORD": "p"}
    sandbox.apply(DEFAULT_RELAY_HOST="[smtp.gmail.com]:587", **login)
    assert sandbox.postconf_n().get(FILTER) == (OURS if way else None)
    assert sandbox.run("plan", env={"DEFAULT_RELAY_HOST": "[smtp.gmail.com]:587", **login}).out == "nothing to do\n"
    sandbox.apply(DEFAULT_RELAY_HOST="[smtp.gmail.com]:587")
    assert FILTER not in sandbox.postconf_n()


def test_usual_place_of_the_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where main.cf says nothing of the environment it is looked for in the same place, with two looks, and no import."""
    assert f"{sasl_plugin.directories()[0]}/{sasl_plugin.PLUGIN}" == found.PLUGIN
    assert found.has_token_plugin({}) is sasl_plugin.is_there()
    monkeypatch.setattr(found, "PLUGIN", f"{tmp_path}/{sasl_plugin.PLUGIN}")
    monkeypatch.setattr(sasl_plugin, "is_there", pytest.fail)
    assert not found.has_token_plugin({})
    (tmp_path / sasl_plugin.PLUGIN).touch()
    assert found.has_token_plugin({})


def test_usual_place_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems than Debian it is elsewhere; who knows is asked."""
    monkeypatch.setattr(found, "PLUGIN", f"{tmp_path}/none/{sasl_plugin.PLUGIN}")
    (tmp_path / sasl_plugin.PLUGIN).touch()
    monkeypatch.setattr(sasl_plugin, "_USUAL", (str(tmp_path),))
    monkeypatch.setattr(sasl_plugin, "_architectures", tuple)
    assert found.has_token_plugin({})


def test_operators_own_use_of_tokens_is_left(scene: Scene) -> None:
    """Who names xoauth2 in main.cf has a use for it that is none of ours."""
    with scene.sandbox.main_cf.open("a") as file:
        file.write(f"{FILTER} = xoauth2\n")
    scene.run("apply")
    assert scene.sandbox.postconf_n()[FILTER] == "xoauth2"
