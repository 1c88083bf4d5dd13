"""``smtp_sasl_mechanism_filter`` of main.cf: no password goes as a token, and what the operator has there is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dms_relay.plan import found
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


@pytest.mark.parametrize("is_there", [True, False])
def test_passwords_of_main_cf_never_go_as_tokens(sandbox: Sandbox, tmp_path: Path, *, is_there: bool) -> None:
    """Where our plugin is installed, main.cf keeps passwords from it also while no login takes a token."""
    plugin = tmp_path / "plugin.so"
    plugin.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found, "_PLUGINS", (str(plugin if is_there else tmp_path / "gone.so"),))
        login = {"RELAY_USER": "u", "RELAY_PASSWORD": "p"}
        sandbox.apply(DEFAULT_RELAY_HOST="[smtp.gmail.com]:587", **login)
        assert sandbox.postconf_n().get(FILTER) == (OURS if is_there else None)
        assert sandbox.run("plan", env={"DEFAULT_RELAY_HOST": "[smtp.gmail.com]:587", **login}).out == "nothing to do\n"
        sandbox.apply(DEFAULT_RELAY_HOST="[smtp.gmail.com]:587")
    assert FILTER not in sandbox.postconf_n()


def test_operators_own_use_of_tokens_is_left(scene: Scene) -> None:
    """Who names xoauth2 in main.cf has a use for it that is none of ours."""
    with scene.sandbox.main_cf.open("a") as file:
        file.write(f"{FILTER} = xoauth2\n")
    scene.run("apply")
    assert scene.sandbox.postconf_n()[FILTER] == "xoauth2"
