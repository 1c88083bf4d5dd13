"""Whatever the inputs were before, the machine ends where a first boot with today's inputs would.

The sequences are drawn at random.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dms_relay.model import PARAMETERS, TABLES
from dms_relay.postfix import main_cf
from tests.support.amounts import Figures, amount
from tests.support.rested import write_rested
from tests.support.sandbox import BASE_MAIN_CF, Result, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Sequences in all.
EXAMPLES = amount(40, 1000)
PROPERTY = settings(
    max_examples=max(1, EXAMPLES // 5),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
#: Files in memory need no disk to be written to; what is on the disk after a crash is another test's business.
MEMORY = Path("/dev/shm")  # noqa: S108 -- a fresh directory in it
SECRETS = "SECRETS"

#: What main.cf may hold before us: some of our parameters, with a login, continued, repeated.
BASES = {
    "plain": BASE_MAIN_CF,
    "ours set": BASE_MAIN_CF
    + "relayhost = [before.test]:2525\nsmtp_sasl_auth_enable = yes\nsmtp_tls_security_level = encrypt\n",
    "login": BASE_MAIN_CF + "smtp_sasl_password_maps = static:user:s3cret\nsmtp_sasl_security_options =\n",
    "continued": BASE_MAIN_CF
    + "sender_dependent_relayhost_maps =\n  inline:{ @x.test=[x.test]:25 },\n# between\n\tinline:{ @y.test=y.test }\n"
    + "smtp_sasl_password_maps = inline:{\n   { [x.test]:25 = user:s3cret } }\n# the end\n",
    "repeated": "relayhost = first\nsmtp_tls_security_level=dane\n"
    + BASE_MAIN_CF
    + "smtp_tls_security_level = none\nrelayhost = $mydomain\nsmtp_sender_dependent_authentication = no\nrelayhost =",
}
ENV = {
    "DEFAULT_RELAY_HOST": ["[default.test]:587", "default.test", "[a.test]:587, [b.test]:587", ""],
    "RELAY_HOST": ["relay.test", "[relay.test]", "smtp", "2001:db8::1"],
    "RELAY_HOST__FILE": [f"{SECRETS}/host"],
    "RELAY_PORT": ["587", "2525"],
    "RELAY_USER": ["user", "a user ü"],
    "RELAY_PASSWORD": ["password", 'p:w "$x" \\ # d'],
    "RELAY_PASSWORD__FILE": [f"{SECRETS}/password"],
    "RELAY_USER_FILE": [f"{SECRETS}/user"],
}
LINES = {
    "postfix-relaymap.cf": [
        "@one.test [one.relay]:587",
        "@One.test two.relay",
        "someone@one.test\t[a.relay]:25, [b.relay]:25",
        "@two.test",
        "  @three.test   smtp",
        "<> [null.relay]:587",
        "# a comment",
        "",
    ],
    "postfix-sasl-password.cf": [
        "@one.test user:one",
        "@ONE.test user:two",
        "[default.test]:587 user:pass word",
        "[relay.test]:587 user:$x",
        "[a.test]:587\tuser:a:b",
    ],
    "vhost": ["one.test", "two.test", "Three.test", "four.test", "one.test"],
    "postfix-accounts.cf": ["a@one.test|{SHA512-CRYPT}x", "b@five.test|x|y", "c@two.test|x"],
    "postfix-virtual.cf": ["alias@six.test a@one.test", "@Two.test a@one.test", "root a@one.test"],
    "relay.env": ["RELAY_HOST=env.test", "RELAY_PORT=465", "RELAY_USER=env", "RELAY_PASSWORD='e n v'", "# x"],
    "postfix-main.cf": [
        "relayhost = [user.test]:587",
        "smtp_tls_security_level = may",
        "smtp_sasl_password_maps = static:user:s3cret",
        "smtp_sasl_password_maps =",
        "  texthash:/etc/own, inline:{ x=y:z }",
        "maximal_queue_lifetime = 1d",
    ],
}
#: What the files that the environment names may hold; the first is there from the beginning.
SECRET_FILES = {
    f"{SECRETS}/password": [b"s3cret", b"0ther\n", b""],
    f"{SECRETS}/user": [b"user\r\n"],
    f"{SECRETS}/host": [b"secret.test", b"[secret.test]\n"],
}
#: Each makes a run fail, whatever else is set.
WRONG: list[tuple[str, str | bytes]] = [
    ("DEFAULT_RELAY_HOST", "[default.test"),
    ("RELAY_PORT", "abc"),
    ("RELAY_PASSWORD", " "),
    ("RELAY_USER", "a:b"),
    ("postfix-relaymap.cf", b"@one.test [bad"),
    ("postfix-sasl-password.cf", b"@one.test"),
    ("relay.env", b"RELAY_USER"),
]


#: What counts in the end: tables with their modes, our parameters, and what ``postconf -n`` shows.
Outcome = tuple[dict[str, tuple[bytes, int]], dict[str, str], dict[str, str]]
#: An input and its value; ``None`` takes it away.
Change = tuple[str, str | bytes | None]


@dataclass(frozen=True)
class Inputs:
    """All inputs of one moment."""

    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def after(self, *changes: Change) -> Inputs:
        """Return the inputs after some changes."""
        env, files = dict(self.env), dict(self.files)
        for name, value in changes:
            env.pop(name, None)
            files.pop(name, None)
            if isinstance(value, bytes):
                files[name] = value
            elif value is not None:
                env[name] = value
        return Inputs(env, files)


@dataclass(frozen=True)
class Machine:
    """What stands in Postfix's directory before us."""

    main_cf: str = BASE_MAIN_CF
    mode: int = 0o644
    tables: tuple[tuple[str, bytes, int], ...] = ()

    def put(self, sandbox: Sandbox) -> None:
        """Put it there."""
        sandbox.write_main_cf(self.main_cf)
        sandbox.main_cf.chmod(self.mode)
        for name, content, mode in self.tables:
            path = sandbox.postfix_dir / name
            write_rested(path, content)
            path.chmod(mode)


@st.composite
def texts(draw: st.DrawFn, lines: list[str]) -> bytes:
    """Draw a file of a few of the lines, with either line end, and with or without the last one."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(draw(st.lists(st.sampled_from(lines), max_size=4)))
    return (text + end if text and draw(st.booleans()) else text).encode()


def changes() -> st.SearchStrategy[Change]:
    """Draw a change of any input; one in five takes it away."""
    env = [st.tuples(st.just(name), values(st.sampled_from(some))) for name, some in ENV.items()]
    files = [st.tuples(st.just(name), values(texts(lines))) for name, lines in LINES.items()]
    secrets = [st.tuples(st.just(name), st.sampled_from(some)) for name, some in SECRET_FILES.items()]
    return st.one_of(*env, *files, *secrets)


def values(some: st.SearchStrategy[str] | st.SearchStrategy[bytes]) -> st.SearchStrategy[str | bytes | None]:
    """Draw a value, or none."""
    return st.integers(0, 4).flatmap(lambda number: some if number else st.none())


def machines() -> st.SearchStrategy[Machine]:
    """Draw what stands in our tables' places before us, and the mode of main.cf."""
    contents = st.sampled_from([b"", b"# own\n@own.test\t[own.test]:25\n", b"[default.test]:587 user:s3cret"])
    one = st.tuples(st.sampled_from(TABLES), contents, st.sampled_from([0o600, 0o644, 0o400]))
    before = st.lists(one, max_size=2, unique_by=lambda table: table[0]).map(tuple)
    return st.builds(Machine, mode=st.sampled_from([0o644, 0o644, 0o600]), tables=before)


@contextmanager
def memory_box() -> Iterator[Sandbox]:
    """Yield a box in memory where there is such a file system."""
    fast = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dms-relay-test-", dir=fast) as directory:
        yield Sandbox(Path(directory))


def apply(sandbox: Sandbox, inputs: Inputs) -> Result:
    """Write all inputs and run ``apply``."""
    secrets = sandbox.config_dir / SECRETS
    secrets.mkdir(exist_ok=True)
    given_files = {name: contents[0] for name, contents in SECRET_FILES.items()} | inputs.files
    for name in [*LINES, *SECRET_FILES]:
        path = (sandbox.postfix_dir if name == "vhost" else sandbox.config_dir) / name
        if name in given_files:
            write_rested(path, given_files[name])
        else:
            path.unlink(missing_ok=True)
    env = {name: value.replace(SECRETS, str(secrets)) for name, value in inputs.env.items()}
    return sandbox.run("--log-level", "error", "apply", env=env)


def files_of(sandbox: Sandbox) -> dict[str, tuple[bytes, tuple[int, ...]]]:
    """Return each file of Postfix's directory but for the input in it: content, mode, inode and times of change."""
    paths = [path for path in sandbox.postfix_dir.iterdir() if path.name != "vhost"]
    return {path.name: (path.read_bytes(), traces_of(path.lstat())) for path in paths}


def traces_of(status: os.stat_result) -> tuple[int, ...]:
    """Return what shows that somebody wrote a file, or replaced it."""
    return (status.st_mode, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)


def result_of(sandbox: Sandbox) -> Outcome:
    """Return what counts, without the name of the directory."""
    here = str(sandbox.postfix_dir)
    found = {name: sandbox.postfix_dir / name for name in TABLES if (sandbox.postfix_dir / name).exists()}
    values = main_cf.values(sandbox.main_cf.read_text("utf-8"))
    return (
        {name: (path.read_bytes(), path.stat().st_mode) for name, path in found.items()},
        {name: values[name].replace(here, "HERE") for name in PARAMETERS if name in values},
        {name: value.replace(here, "HERE") for name, value in sandbox.postconf_n().items()},
    )


def check_first_boot(sandbox: Sandbox, machine: Machine, inputs: Inputs) -> None:
    """Compare with a first boot on the same machine with the same inputs."""
    with memory_box() as first:
        machine.put(first)
        assert apply(first, inputs).code == 0
        assert result_of(sandbox) == result_of(first)


def check_wrong_inputs(sandbox: Sandbox, inputs: Inputs) -> None:
    """Run with wrong inputs: nothing changes."""
    before = files_of(sandbox)
    assert apply(sandbox, inputs).code == os.EX_CONFIG
    assert files_of(sandbox) == before


def check_second_run(sandbox: Sandbox, inputs: Inputs) -> None:
    """Run a second time: it says "nothing to do", writes no file and replaces none."""
    before = files_of(sandbox)
    assert apply(sandbox, inputs).out.startswith("nothing to do")
    assert files_of(sandbox) == before


def check_all_put_back(sandbox: Sandbox, machine: Machine) -> None:
    """Without inputs, all is as it was before us, and nothing of ours is left."""
    assert apply(sandbox, Inputs()).code == 0
    assert result_of(sandbox) == untouched(machine)
    assert sandbox.main_cf.stat().st_mode & 0o777 == machine.mode
    assert set(files_of(sandbox)) == {"main.cf", *(table[0] for table in machine.tables)}


@cache
def untouched(machine: Machine) -> Outcome:
    """Return what counts on a machine that we have not touched."""
    with memory_box() as sandbox:
        machine.put(sandbox)
        return result_of(sandbox)


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("base", BASES)
@PROPERTY
@given(
    machine=machines(),
    steps=st.builds(
        lambda first, others: [first, *others],
        st.lists(changes(), min_size=2, max_size=12),
        st.lists(st.lists(changes(), min_size=1, max_size=6), max_size=4),
    ),
    wrong=st.sampled_from(WRONG),
)
def test_any_sequence_ends_as_a_first_boot(
    figures: Figures, base: str, machine: Machine, steps: list[list[Change]], wrong: Change
) -> None:
    """After any sequence of input changes, each applied, tables and parameters are those of a first boot.

    A second run, and a run with wrong inputs, change nothing. Once all inputs are gone, parameters and tables are what
    they were before us.
    """
    machine, inputs = replace(machine, main_cf=BASES[base]), Inputs()
    with memory_box() as sandbox:
        machine.put(sandbox)
        for step in steps:
            inputs = inputs.after(*step)
            assert apply(sandbox, inputs).code == 0
        check_wrong_inputs(sandbox, inputs.after(wrong))
        check_first_boot(sandbox, machine, inputs)
        check_second_run(sandbox, inputs)
        check_all_put_back(sandbox, machine)
    figures(1, "sequences of inputs with maps: each ends as a first boot")
