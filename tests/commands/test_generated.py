"""What is made from the parser: the shells' completion, tried in real shells on a terminal, and the manual page."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dms_relay.arguments import EXIT_CODES, parse
from dms_relay.generated import text_of
from dms_relay.sources.environment import NAMES
from tests.support.shells import TAB, Shell, furnished, require_program, shell
from tools import generate
from tools.tree import actions_of, commands_of, fresh_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox import Sandbox

TEXTS = ("completion.bash", "completion.zsh", "dms-relay.1")
#: How a line begins whose words come from the fixture's directory.
HERE = "dms-relay --config-dir 'my config' "


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with a file, and a configuration directory that has a blank in its name."""
    return furnished(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def bash(home: Path) -> Iterator[Shell]:
    """Yield a bash that has read our completion."""
    with shell("bash", home) as one:
        one.run('eval "$(dms-relay completion bash)"')
        yield one


@pytest.fixture(scope="module")
def zsh(home: Path) -> Iterator[Shell]:
    """Yield a zsh that finds our completion among its functions, where the package installs it."""
    functions = home / "functions"
    functions.mkdir()
    (functions / "_dms-relay").write_text(text_of("completion.zsh"), "utf-8")
    with shell("zsh", home) as one:
        one.run(f"fpath=({functions} $fpath); compinit -u -D")
        yield one


@pytest.fixture(params=["bash", "zsh"])
def prompt(request: pytest.FixtureRequest) -> Shell:
    """Return each of the two shells."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Shell)
    return found


def test_the_committed_texts_are_what_the_parser_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever changes the parser rebuilds the texts: ``make generated``."""
    code = generate.main(["--check"])
    assert (code, capsys.readouterr().out) == (0, "")


def test_check_names_what_is_stale_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--check`` fails for a file that is missing or differs, and leaves it; without it the files are written."""
    missing, stale, *others = generate.texts()
    monkeypatch.setattr(generate, "_ROOT", tmp_path)
    for path in (stale, *others):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(generate.texts()[path], "utf-8")
    (tmp_path / stale).write_text("old", "utf-8")
    assert generate.main(["--check"]) == 1
    out = capsys.readouterr().out
    assert [line.partition(":")[0] for line in out.splitlines()] == [str(missing), str(stale)]
    assert not (tmp_path / missing).exists()
    assert (tmp_path / stale).read_text("utf-8") == "old"
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_the_texts_do_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the same bytes in a narrow window, on another day, and with other hashes."""
    command = [sys.executable, "-m", "tools.generate", "--check"]
    root = Path(generate.__file__).parent.parent
    for name, value in {"COLUMNS": "20", "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "0"}.items():
        monkeypatch.setenv(name, value)
    subprocess.run(command, cwd=root, check=True)


@pytest.mark.parametrize(
    ("command", "name"), [("completion bash", TEXTS[0]), ("completion zsh", TEXTS[1]), ("man", TEXTS[2])]
)
def test_the_command_prints_the_text(sandbox: Sandbox, command: str, name: str) -> None:
    """``dms-relay completion SHELL`` and ``dms-relay man`` print the file, to the byte."""
    result = sandbox.run(*command.split())
    assert (result.code, result.out, result.err) == (0, f"{text_of(name)}\n", "")


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_has_every_command_and_option(name: str) -> None:
    """What the help shows stands in each text."""
    text = text_of(name).replace("\\-", "-")
    top = fresh_parser()
    parsers = [top, *(command.parser for command in commands_of(top))]
    options = [option for parser in parsers for action in actions_of(parser) for option in action.option_strings]
    words = {*(command.name for command in commands_of(top)), *options}
    assert {"apply", "remove-auth", "man", "--config-dir", "--password-stdin"} < words
    assert [word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)] == []


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_shows_the_command_of_the_shells(name: str) -> None:
    """``complete``, which the completion itself runs, is no command for a person."""
    text = text_of(name).replace("\\-", "-")
    assert (
        re.findall(r"dms[-_]relay[ _]complete(?!ion).*|^ +complete[:)].*|[( ]complete [a-z-]+\)", text, re.MULTILINE)
        == []
    )


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("dms-relay exc", "dms-relay exclude-domain "),
        ("dms-relay comple", "dms-relay completion "),
        ("dms-relay apply --no", "dms-relay apply --no-reload "),
        ("dms-relay completion z", "dms-relay completion zsh "),
        ("dms-relay --log-level deb", "dms-relay --log-level debug "),
        ("dms-relay --log-format=js", "dms-relay --log-format=json "),
        ("dms-relay --config-dir my", "dms-relay --config-dir my\\ config/"),
        ("dms-relay --postfix-dir=my", "dms-relay --postfix-dir=my\\ config/"),
        ("dms-relay --config-dir a-f", "dms-relay --config-dir a-f"),
    ],
)
def test_a_shell_completes_what_the_parser_knows(prompt: Shell, typed: str, line: str) -> None:
    """Commands, options and choices are completed; a directory, and no other file, where one is to be named."""
    assert prompt.line_after(f"{typed}{TAB}") == line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("add-domain ex", "add-domain example.com "),
        ("add-domain @ex", "add-domain @example.com "),
        ("add-domain new.org smtp.relay-o", "add-domain new.org smtp.relay-one.net "),
        ("add-domain '<>' smtp.relay-t", "add-domain '<>' smtp.relay-two.net "),
        ("exclude-domain --no-apply dir", "exclude-domain --no-apply direct.org "),
        ("add-auth \\[oth", "add-auth \\[other.example.com\\]:25 "),
        ("remove-domain di", "remove-domain direct.org "),
        ("remove-domain '<", "remove-domain '<>' "),
        ("remove-auth \\[oth", "remove-auth \\[other.example.com\\]:25 "),
        ('remove-auth "[oth', 'remove-auth "[other.example.com]:25" '),
        ("remove-auth \\[smtp.example.com\\]:5", "remove-auth \\[smtp.example.com\\]:587 "),
        ("test \\[smtp.relay-t", "test \\[smtp.relay-two.net\\]:587 "),
        ("test --timeout 5 x \\[smtp.relay-o", "test --timeout 5 x \\[smtp.relay-one.net\\]:587 "),
    ],
)
def test_a_shell_completes_what_stands_in_the_inputs(prompt: Shell, typed: str, line: str) -> None:
    """Domains, relays and keys come from the directory that the line names, quoted where the shell needs it."""
    assert prompt.line_after(f"{HERE}{typed}{TAB}") == f"{HERE}{line}"


@pytest.mark.parametrize(
    "named", ["--config-dir=my\\ config", '--config-dir "my config"', "--config-dir ~/my\\ config"]
)
def test_a_directory_counts_however_it_is_written(prompt: Shell, named: str) -> None:
    """A blank or ``=`` before it, quotes, and ``~``: as the shell and dms-relay take it."""
    line = f"dms-relay {named} --postfix-dir /nowhere --log-level info add-domain"
    assert prompt.line_after(f"{line} ex{TAB}") == f"{line} example.com "


@pytest.mark.parametrize(
    "typed",
    ["add-auth example.com a-f", "add-auth example.com me a-f", "add-auth example.com me @", "add-domain a b a-f"],
)
def test_a_shell_has_nothing_to_say_about_names_and_passwords(prompt: Shell, typed: str) -> None:
    """Neither a user name nor a password nor a port is ever taken for a file or a host."""
    assert prompt.line_after(f"{HERE}{typed}{TAB}") == f"{HERE}{typed}"


@pytest.mark.parametrize("password", ["$HOM", "a*", "~ro"])
def test_bash_leaves_a_password_alone(bash: Shell, password: str) -> None:
    """No variable, file or user takes the place of what looks like the beginning of one."""
    line = f"{HERE}add-auth example.com me {password}"
    assert bash.line_after(f"{line}{TAB}") == line


def test_a_shell_shows_the_commands(prompt: Shell) -> None:
    """All that the help shows are offered, and no other."""
    names = {command.name for command in commands_of(fresh_parser())}
    shown = set(prompt.shown_after(f"dms-relay {TAB}"))
    assert names <= shown
    assert "complete" not in shown


def test_a_shell_shows_each_key_once(prompt: Shell) -> None:
    """For a login, the domains and the relays that have one; a domain is not shown a second time with its ``@``."""
    shown = prompt.shown_after(f"{HERE}add-auth {TAB}")
    relays = ["\\[other.example.com\\]:25", "\\[smtp.example.com\\]:2525", "\\[smtp.example.com\\]:587"]
    for word in ["boss@acme.org", "direct.org", "example.com", *relays]:
        assert shown.count(word) == 1, word
    assert "@example.com" not in shown


def test_a_shell_runs_nothing_that_stands_in_the_inputs(prompt: Shell, home: Path) -> None:
    """A key is a word, whatever the shell would make of it."""
    shown = prompt.shown_after(f"{HERE}remove-auth {TAB}")
    assert len([word for word in shown if "broken" in word]) == 2, shown
    assert not (home / "broken").exists()


def test_a_shell_is_silent_where_the_inputs_cannot_be_read(prompt: Shell) -> None:
    """No message of dms-relay's stands in the middle of a command line."""
    line = "dms-relay --config-dir /nowhere add-domain ex"
    assert prompt.shown_after(f"{line}{TAB}") == []


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("remove-auth [oth", "remove-auth \\[other.example.com\\]:25 "),
        ("remove-auth [smtp.example.com]:5", "remove-auth [smtp.example.com]:587 "),
        ('remove-auth "[smtp.example.com]":5', 'remove-auth "[smtp.example.com]":587 '),
        ("remove-auth \\[smtp.example.com\\]\\:5", "remove-auth \\[smtp.example.com\\]:587 "),
        ("plan >a-", "plan >a-file "),
    ],
)
def test_bash_completes_a_word_that_it_cuts_itself(bash: Shell, typed: str, line: str) -> None:
    """Brackets without quotes, and what follows a colon, are part of the one word; a file follows ``>``."""
    assert bash.line_after(f"{HERE}{typed}{TAB}") == f"{HERE}{line}"


def test_zsh_completes_a_relay_without_its_bracket(zsh: Shell) -> None:
    """A bare ``[`` is the start of a subscript to zsh, which asks nobody; so the name alone will do."""
    assert zsh.line_after(f"{HERE}remove-auth oth{TAB}") == f"{HERE}remove-auth \\[other.example.com\\]:25 "


def test_zsh_can_read_the_text(home: Path) -> None:
    """The text serves as a function of zsh's, and as a part of ``.zshrc`` too."""
    with shell("zsh", home) as one:
        for read in ('eval "$(dms-relay completion zsh)"', ". <(dms-relay completion zsh)"):
            one.run(f"unset '_comps[dms-relay]'; {read}")
            assert one.line_after(f"{HERE}exc{TAB}") == f"{HERE}exclude-domain "


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("setup rel", "setup relay "),
        ("setup relay exc", "setup relay exclude-domain "),
        (
            "setup relay --config-dir my\\ config add-domain ex",
            "setup relay --config-dir my\\ config add-domain example.com ",
        ),
        ("setup relay add-auth example.com me a-f", "setup relay add-auth example.com me a-f"),
        ("setup email a-f", "setup email a-file "),
    ],
)
def test_bash_completes_setup_relay(bash: Shell, typed: str, line: str) -> None:
    """The name that docker-mailserver gives the command is completed too; the rest of ``setup`` is as without us."""
    assert bash.line_after(f"{typed}{TAB}") == line


def test_bash_leaves_a_completion_of_setup_alone(home: Path) -> None:
    """Where ``setup`` is completed by somebody else, that stands."""
    with shell("bash", home) as one:
        one.run("complete -W 'email quota' setup")
        one.run('eval "$(dms-relay completion bash)"')
        assert one.line_after(f"setup quo{TAB}") == "setup quota "


def test_the_manual_page_is_well_formed(tmp_path: Path) -> None:
    """There is nothing that mandoc warns of."""
    require_program("mandoc")
    page = tmp_path / "dms-relay.1"
    page.write_text(f"{text_of('dms-relay.1')}\n", "utf-8")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_manual_page_says_what_the_help_does_not() -> None:
    """Each section is there, each exit code on a line of its own, each variable and each file."""
    text = text_of("dms-relay.1").replace("\\-", "-")
    sections = re.findall(r"^\.SH\s+(.+)$", text, re.MULTILINE)
    middle = ["DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"]
    assert sections == ["NAME", "SYNOPSIS", *middle, "SEE ALSO"]
    codes = re.findall(r"^\.TP\n\.B (\d+)$", text, re.MULTILINE)
    assert codes == ["0", "1", "2", "66", "69", "70", "73", "74", "75", "78", "130"]
    assert [code for code in EXIT_CODES.values() if code not in text] == []
    variables = [f"{name}{end}" for name in NAMES for end in ("", "__FILE")]
    files = ["docker-mailserver/relay.env", "postfix/relayhost_map", "postfix/sasl_passwd", "dms-relay.state.json"]
    for word in [*variables, "LOG_LEVEL", "LOG_FORMAT", "MAIL_CONFIG", *files]:
        assert re.search(rf"^\.B .*(?<!\w){re.escape(word)}(?!\w)", text, re.MULTILINE), word


def test_the_examples_of_the_manual_page_are_commands() -> None:
    """Each command among the examples is one that the parser takes."""
    text = text_of("dms-relay.1").replace("\\-", "-").partition(".SH EXAMPLES")[2]
    lines = re.findall(r"^\.RS 4\n(.*)\n\.RE$", text, re.MULTILINE)
    commands = [command.partition("dms-relay ")[2] for line in lines for command in line.split("; ")]
    assert len(commands) > len(lines) > 5
    assert {parse(shlex.split(command), "dms-relay").command for command in commands} > {"apply", "add-auth", "test"}
