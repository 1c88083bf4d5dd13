"""``dms-relay import``: what it writes where, what it never does, and wrong inputs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

import dms_relay
from dms_relay.migrate.kinds import KINDS
from tests.migrate.scene import CASES, Scene, case
from tests.migrate.test_odd_variables import CONTROL, SAID
from tests.postfix.test_table_files import put_endless
from tests.support.console import said
from tests.support.written_remedies import source_of
from tools.tree import Command, actions_of, commands_of, fresh_parser

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

#: There are very many of this kind.
pytestmark = pytest.mark.one_in(3)
ROOT = Path(__file__).parents[2]
SECRET = "with$dollar and#hash"
SES = "email-smtp-eu-west-1-amazonaws-com-587"


class Wrong(NamedTuple):
    """Variables that nobody can import, and what is said of them."""

    variables: str
    said: str
    source: str = "auto"


JUAN = "SMTP_SERVER=mail.example.org\nSERVER_HOSTNAME=mail.example.com\n"
WRONG = {
    "nothing": Wrong(
        "",
        "--from: there is nothing to import: no variables of a source, no relay in MAIN_CF"
        " -- name the file with the variables (--env-file), or Postfix's directory (--postfix-dir)",
    ),
    "two sources": Wrong(
        f"{JUAN}RELAYHOST=[a.example]\n",
        "--from: the inputs of juanluisbaptiste and of bokysan are there"
        " -- say which: --from juanluisbaptiste or --from bokysan",
    ),
    "no assignment": Wrong("RELAYHOST\n", "variables.env:1: the line sets no value -- write NAME=value"),
    "no server": Wrong(
        "SERVER_HOSTNAME=mail.example.com\n",
        "variables.env SMTP_SERVER: is not set, and the image does not start without it -- set SMTP_SERVER",
    ),
    "no password": Wrong(
        f"{JUAN}SMTP_USERNAME=me\n",
        "variables.env SMTP_PASSWORD: is not set, and SMTP_USERNAME is -- set SMTP_PASSWORD or SMTP_PASSWORD_FILE",
    ),
    "a user name elsewhere": Wrong(
        f"{JUAN}SMTP_USERNAME_FILE=/nowhere\nSMTP_PASSWORD=pw\n",
        "variables.env SMTP_USERNAME_FILE: the file that it names cannot be read here"
        " -- set SMTP_USERNAME for this import",
    ),
    "a file that is not named from the root": Wrong(
        "RELAYHOST=[a.example]\nRELAYHOST_USERNAME=u\nRELAYHOST_PASSWORD_FILE=secret\n",
        "variables.env RELAYHOST_PASSWORD_FILE: is not the absolute path of a file"
        " -- name it from the root: /run/secrets/relay",
    ),
    "a port in the host": Wrong(
        "SMTP_SERVER=mail.example.org:587\nSERVER_HOSTNAME=mail.example.com\n",
        "variables.env SMTP_SERVER: the port is inside the brackets -- write the host only; the port is SMTP_PORT",
    ),
    "a port that is none": Wrong(
        f"{JUAN}SMTP_PORT=x\n", "variables.env SMTP_PORT: is not the number of a port -- write a number from 1 to 65535"
    ),
    "a macro without an end": Wrong(
        f"{JUAN}POSTFIX_SMTP_HELO_NAME=${{x\n",
        "variables.env POSTFIX_SMTP_HELO_NAME: Postfix cannot read this value of smtp_helo_name"
        " -- look smtp_helo_name up in postconf(5)",
    ),
    "a value that means itself": Wrong(
        "RELAYHOST=[a.example]\nHOSTNAME=$myhostname\n",
        "variables.env HOSTNAME: Postfix cannot read this value of myhostname -- look myhostname up in postconf(5)",
    ),
    "a control character": Wrong(
        "RELAYHOST=[a.example]\x01\n",
        f"variables.env RELAYHOST: {CONTROL}",
    ),
    "relay.sh": Wrong("RELAY_HOST=a.example\nRELAY_PORT=many\n", "env RELAY_PORT: port is not a number", "relay.sh"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_inputs(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    """What cannot be imported is said, and ends in exit code 78, with nothing written."""
    wrong = WRONG[name]
    (tmp_path / "variables.env").write_text(wrong.variables)
    words = (
        "--env-file",
        str(tmp_path / "variables.env"),
        "--output",
        str(tmp_path / "output"),
        "--from",
        wrong.source,
    )
    result = sandbox.run("import", *words)
    assert (result.code, result.out) == (os.EX_CONFIG, "")
    assert any(wrong.said.replace("MAIN_CF", str(sandbox.main_cf)) in text for _, text in said(result)), result.err
    assert not (tmp_path / "output").exists()


def test_an_env_file_that_is_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is named; nothing else is imported in its place."""
    name = str(tmp_path / "nowhere")
    result = sandbox.run("import", "--env-file", name)
    assert result.code == os.EX_CONFIG
    assert said(result)[-1][1] == f"--env-file: there is no file {name} -- name the file with the variables"


def test_an_env_file_by_its_relative_path(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from the working directory, as a person means it."""
    (tmp_path / "variables.env").write_text("RELAYHOST=[r.test]:587\n")
    monkeypatch.chdir(tmp_path)
    for name in ("variables.env", "./variables.env", f"../{tmp_path.name}/variables.env"):
        result = sandbox.run("import", "--env-file", name)
        assert "host: r.test" in result.out, result.err


def test_every_remedy_is_said_somewhere() -> None:
    """Nothing is said in the wing that no case, and no wrong input, has heard."""
    documents = [yaml.safe_load(path.read_text("utf-8"))["expected"] for path in CASES.glob("*.yaml")]
    left = [text for document in documents for key in ("not_taken", "notes") for text in document.get(key, ())]
    said_elsewhere = [*(wrong.said for wrong in WRONG.values()), *SAID, "-- name the file with the variables"]
    heard = "\n".join([*left, *said_elsewhere])
    remedies = {remedy for _, remedy in source_of(Path(dms_relay.__file__).parent).remedies("migrate/")}
    assert {remedy for remedy in remedies if not re.search(f"-- {remedy}", heard)} == set()


def test_nothing_is_written_without_output(tmp_path: Path) -> None:
    """The file is shown, with what goes beside it; no file is made, and Postfix's own are left alone."""
    scene = Scene(tmp_path, case("bokysan-ses"))
    before = sorted(tmp_path.rglob("*")), scene.before.snapshot()
    result = scene.run_import()
    assert (sorted(tmp_path.rglob("*")), scene.before.snapshot()) == before
    assert f"password_file: DIR/secrets/{SES}" in result.out
    assert "\n# variables of the container:\nPOSTFIX_MYHOSTNAME=mail.example.com\nRELAY_PERMIT=" in result.out
    assert result.out.endswith("compared by explain, before and after: 4 messages, and all go as before\n")
    assert SECRET not in result.out + result.err


@pytest.fixture
def written(tmp_path: Path) -> Scene:
    """Return a case of which everything has been written."""
    scene = Scene(tmp_path, case("bokysan-ses"))
    assert scene.run_import("--output", str(scene.output)).code == 0
    return scene


def test_files_are_not_overwritten(written: Scene) -> None:
    """A file that is there stays, unless ``--force`` says otherwise: then all are written again."""
    (written.output / "relay.yaml").write_text("mine\n")
    result = written.run_import("--output", str(written.output))
    assert result.code == os.EX_CANTCREAT
    assert said(result)[-1][1].endswith("name another directory with --output, or overwrite them with --force")
    assert (written.output / "relay.yaml").read_text() == "mine\n"
    assert written.run_import("--output", str(written.output), "--force").code == 0
    assert (written.output / "relay.yaml").read_text().startswith("# Written by dms-relay import from boky/postfix.")


def test_passwords_in_relay_yaml(tmp_path: Path) -> None:
    """``--inline-passwords`` puts them there, and is the only way that they get there; they are shown nowhere."""
    scene = Scene(tmp_path, case("bokysan-ses"))
    result = scene.run_import("--output", str(scene.output), "--inline-passwords")
    assert not (scene.output / "secrets").exists()
    document = yaml.safe_load((scene.output / "relay.yaml").read_text("utf-8"))
    assert document["relays"][SES]["login"] == {"username": "AKIAEXAMPLE", "password": SECRET}
    assert SECRET not in result.out + scene.run_import("--inline-passwords").out
    assert 'password: "********"' in scene.run_import("--inline-passwords").out


@pytest.mark.parametrize(
    "password", ["x\x7fy", "x\x85y", "x\u2028y", "x\xa0y", "\U0001f600", 'a"b\\n', "yes", "~", "- x"]
)
def test_passwords_that_yaml_takes_for_something_else(tmp_path: Path, password: str) -> None:
    """Each is written so that YAML gives it back, and stands in Postfix's table after that."""
    document = case("main-ses")
    document["files"]["sasl_passwd"] = f"[email-smtp.us-west-2.amazonaws.com]:587 me:{password}\n"
    scene = Scene(tmp_path, document)
    assert scene.run_import("--output", str(scene.output), "--inline-passwords").code == 0
    [relay] = yaml.safe_load((scene.output / "relay.yaml").read_text("utf-8"))["relays"].values()
    assert relay["login"] == {"username": "me", "password": password}
    assert scene.after().run("check").code == 0


@pytest.mark.parametrize("there", ["file", "secrets", "nowhere", "dangling"])
def test_a_directory_that_cannot_be_made(tmp_path: Path, there: str) -> None:
    """It is named, with what is wrong with it: no disk is full."""
    scene = Scene(tmp_path, case("main-ses"))
    output = scene.output
    if there == "file":
        output.write_text("mine\n")
    elif there == "secrets":
        output.mkdir()
        (output / "secrets").write_text("mine\n")
    elif there == "dangling":
        output.symlink_to("/nowhere")
    else:
        output = output / "below"
    result = scene.run_import("--output", str(output))
    assert result.code == os.EX_CANTCREAT
    text = said(result)[-1][1]
    assert text.startswith(str(output))
    assert text.endswith("-- name a directory with --output, or a new one in an existing directory")


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("texthash", ""), ("regexp", ""), ("hash", ".db"), ("btree", ".db"), ("lmdb", ".lmdb"), ("cdb", ".cdb")],
)
@pytest.mark.parametrize("what", ["pipe", "socket", "/dev/zero"])
def test_a_table_that_never_ends(tmp_path: Path, kind: str, ending: str, what: str) -> None:
    """A pipe in the place of a table, or of its index, is said to be none; no program of Postfix's waits for it."""
    document = case("main-ses")
    document["files"]["main.cf"] += f"sender_dependent_relayhost_maps = {kind}:HERE/pipe\n"
    scene = Scene(tmp_path, document)
    put_endless(scene.before.postfix_dir / f"pipe{ending}", what)
    result = scene.run_import()
    assert result.code == 1
    shown = f"HERE/pipe{ending}" if ending else f"{kind}:HERE/pipe"
    what = f"main.cf: sender_dependent_relayhost_maps: {shown} is not a file"
    assert f"{what} -- create the table, or remove it from sender_dependent_relayhost_maps" in scene.shown(result.out)


def test_an_empty_output(tmp_path: Path) -> None:
    """A variable of a script that is not set is an error: nothing would be written, with exit code 0."""
    result = Scene(tmp_path, case("main-ses")).run_import("--output", "")
    assert (result.code, result.out) == (2, "")
    assert said(result)[-1][1] == "--output names no directory -- write its name, or leave --output out"


def test_a_directory_that_will_be_elsewhere(tmp_path: Path) -> None:
    """With ``--mounted-at`` the password files are named as the container sees them."""
    scene = Scene(tmp_path, case("bokysan-ses"))
    scene.run_import("--output", str(scene.output), "--mounted-at", "/etc/relay")
    document = yaml.safe_load((scene.output / "relay.yaml").read_text("utf-8"))
    name = document["relays"][SES]["login"]["password_file"]
    assert name == f"/etc/relay/secrets/{SES}"
    assert (scene.output / "secrets" / SES).read_text("utf-8") == SECRET


def test_what_is_written_is_no_unknown_file(written: Scene) -> None:
    """No command takes what was written beside relay.yaml for an input that is called wrongly."""
    after = written.after()
    assert "container.env" not in after.run("check").out
    assert "secrets" not in after.run("check").out


def test_a_login_of_a_sender_at_another_relay(tmp_path: Path) -> None:
    """A login by sender that Postfix offered to any server is offered no more: that is said, and is a difference."""
    document = case("main-several-gmail-accounts")
    document["files"]["main.cf"] += "transport_maps = inline:{ partner.example=smtp:[relay.partner.example] }\n"
    result = Scene(tmp_path, document).run_import()
    assert result.code == 1
    assert "  to partner.example from user1@gmail.example\n" in result.out
    assert "before  to relay.partner.example port 25, login user1@gmail.example, TLS encrypt\n" in result.out
    assert "after   to relay.partner.example port 25, no login, TLS encrypt\n" in result.out
    assert "(relay.yaml offers a login at the relay that it is for, and at no other server)" in result.out


def test_the_environment_is_the_source_without_an_env_file(sandbox: Sandbox) -> None:
    """In the container itself nothing needs to be written down for an import."""
    (sandbox.postfix_dir / "master.cf").write_text("smtp unix - - n - - smtp\n")
    env = {"SMTP_SERVER": "mail.example.org", "SERVER_HOSTNAME": "mail.example.com", "PATH": "/usr/bin"}
    result = sandbox.run("import", env=env)
    assert result.code == 0
    assert "default: mail-example-org-587  # env SMTP_SERVER" in result.out


def test_what_is_to_be_done_then(tmp_path: Path) -> None:
    """What was written says how it is put to use; from relay.sh, which variables and files are to go."""
    scene = Scene(tmp_path, case("relay-sh-map"))
    result = scene.run_import("--output", str(scene.output))
    assert "remove what relay.yaml replaces: RELAY_HOST, postfix-relaymap.cf, postfix-sasl-password.cf" in result.out


def test_what_is_to_be_done_names_the_directory(tmp_path: Path) -> None:
    """The commands that are printed can be typed as they stand."""
    scene = Scene(tmp_path, case("main-addresses-by-sender"))
    result = scene.run_import("--output", str(scene.output))
    assert f"look at what will change: dms-relay --config-dir {scene.output} plan\n" in result.out
    assert " DIR " not in result.out


def test_its_page() -> None:
    """docs/migrate.md names every source, every option, and every key of the JSON object."""
    page = (ROOT / "docs" / "migrate.md").read_text("utf-8")
    options = [name for action in actions_of(_command().parser) for name in action.option_strings]
    scene_keys = ("from", "relay_yaml", "postfix_main_cf", "variables", "written", "not_taken", "notes", "is_the_same")
    for word in (*KINDS, *(set(options) - {"-h", "--help"}), *scene_keys):
        assert f"`{word}" in page or f" {word}" in page, word


def _command() -> Command:
    return next(command for command in commands_of(fresh_parser()) if command.name == "import")
