"""What the build adds to docker-mailserver's ``setup``, and what it refuses: ``dms/extend_setup.py`` by itself."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.dms.conftest import BASE
from tests.image.engine import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SETUP = (BASE / "bin/setup").read_text()
#: What docker-mailserver dispatches itself.
ITS_OWN = {"add-auth", "add-domain", "exclude-domain"}
OLDER = """\
  case ${1:-} in
    email )
      case ${2:-} in
        add      ) shift 2 ; addmailuser "${@}" ;;
        *        ) _invalid_command "${1}" "${2}" ;;
      esac
      ;;

    relay )
      case ${2:-} in
        add-domain     ) shift 2 ; addrelayhost "${@:+$@}" ;;
        add-auth       ) shift 2 ; addsaslpassword "${@:+$@}" ;;
        exclude-domain ) shift 2 ; excluderelaydomain "${@:+$@}" ;;
        *              ) _invalid_command "${1}" "${2}" ;;
      esac
      ;;
  esac
"""


def extend(path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Write a file and run the program on it."""
    path.write_text(text)
    path.chmod(0o754)
    program = [sys.executable, "dms/extend_setup.py", str(path)]
    return subprocess.run(program, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)


def names() -> str:
    """Return the names of the arm, from the help of dms-relay."""
    program = [sys.executable, "-m", "dms_relay", "--help"]
    said = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {*re.findall(r"(?m)^    ([a-z][a-z-]*)(?:  |$)", said), "help"}
    assert ITS_OWN | {"list", "remove-domain", "remove-auth", "apply"} < found
    return " | ".join(sorted(found - ITS_OWN))


@pytest.mark.parametrize(("text", "opening"), [(SETUP, "( "), (OLDER, "")], ids=["DMS 15", "older"])
def test_one_line_before_the_default(tmp_path: Path, text: str, opening: str) -> None:
    """One arm is added before the default arm of relay, as the others are written; all else stays, and so does the mode."""
    path = tmp_path / "setup"
    done = extend(path, text)
    assert (done.returncode, done.stderr) == (0, "")
    arm = f'        {opening}{names()} ) shift ; setup-relay "${{@}}" ;;\n'
    default = text.index(f"        {opening}*", text.index("exclude-domain ) shift"))
    assert path.read_text() == text[:default] + arm + text[default:]
    assert path.stat().st_mode & 0o777 == 0o754
    subprocess.run(["bash", "-n", path], check=True)


def test_the_page_names_them() -> None:
    """docs/docker-mailserver.md names each command that ``setup relay`` has with ours, and no other."""
    (row,) = [line for line in (ROOT / "docs/docker-mailserver.md").read_text().splitlines() if "bin/setup` |" in line]
    named = re.findall(r"`(?:setup relay )?([a-z][a-z-]*)`", row)
    assert sorted(named) == names().split(" | ")


def test_twice(tmp_path: Path) -> None:
    """Where the arm is there already, nothing is changed, and it says so."""
    path = tmp_path / "setup"
    extend(path, SETUP)
    once = path.read_text()
    done = extend(path, once)
    assert (done.returncode, done.stdout) == (0, f"dms-relay: {path} is already extended\n")
    assert path.read_text() == once


WRONG = {
    "no relay case": SETUP.replace("( relay )", "( relays )"),
    "two relay cases": SETUP.replace("( email )", "( relay )").replace("( list     ) echo 'no accounts' ;;\n", ""),
    "another program": SETUP.replace("addsaslpassword", "addlogin"),
    "a command too few": SETUP.replace('        ( add-auth       ) shift 2 ; addsaslpassword "${@}" ;;\n', ""),
    "a command too many": SETUP.replace(
        "        ( add-auth ", '        ( list           ) shift 2 ; listrelays "${@}" ;;\n        ( add-auth '
    ),
    "an arm of several lines": SETUP.replace("( add-domain     ) shift 2 ;", "( add-domain )\n          shift 2 ;"),
    "another default": SETUP.replace(
        'excluderelaydomain "${@}" ;;\n        ( *              ) _invalid_command', "x ;; *"
    ),
    "no text at all": "",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_unexpected_texts(tmp_path: Path, text: str) -> None:
    """A text that is not as expected is left as it is; the message says what was looked for, and what to do: exit code 1."""
    path = tmp_path / "setup"
    done = extend(path, text)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"dms-relay: {path} cannot be extended: looked for ")
    assert done.stderr.endswith("dms-relay: use another version of docker-mailserver or of dms-relay\n")
    assert path.read_text() == text


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there, or no file named, is an error."""
    program = [sys.executable, "dms/extend_setup.py"]
    for words, code in (([str(tmp_path / "nowhere")], 1), ([], 2)):
        done = subprocess.run(
            [*program, *words], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False
        )
        assert done.returncode == code
        assert b"Traceback" not in done.stderr
