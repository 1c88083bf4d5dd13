"""Whatever an operator's own files said before, the machine ends where a first boot with today's would."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dms_relay import files
from dms_relay.postfix import main_cf_file
from tests.support.amounts import Figures, amount
from tests.support.machine import MASTER_CF, machine_of, prepare
from tests.support.sandbox import BASE_MAIN_CF, Sandbox
from tests.support.states import MAPS, MEMORY, SWITCHED, State, apply, first_boot

if TYPE_CHECKING:
    from collections.abc import Callable

MAIN, MASTER = "postfix-main.cf", "postfix-master.cf"
SECRET = "s3cret-P4ss"
EXAMPLES = amount(20, 1500)
YAML = State(
    {},
    {
        "relay.yaml": "version: 1\nrelays: {r: {host: r.test, login: {username: u, password: s3cret}}, s: {host: s.test}}\n"
        "default: r\nsenders: {one.test: s}\nrecipients: {far.test: r}\n"
    },
)
MOVED = State({}, {"relay.yaml": YAML.files["relay.yaml"].replace("r.test", "other.test")})
BASES = {
    "plain": BASE_MAIN_CF,
    "set before": BASE_MAIN_CF
    + "relayhost = [before.test]\nmessage_size_limit = 1\ntransport_maps = hash:/x/one,\n  hash:/x/two\nmydomain = b.test\n",
}
MAIN_LINES = (
    "message_size_limit = 20480000",
    "message_size_limit=1",
    "relay_domains =\n  one.test\n# two\n  three.test",
    "smtp_tls_security_level = may",
    "mydomain = own.test",
    "my_own = $mydomain",
    f"smtp_sasl_password_maps = static:me:{SECRET}",
    "transport_maps = hash:/own",
    "# a comment",
)
#: Not with transports, which need them empty.
MAPS_LINES = (*MAIN_LINES, "relayhost = [own.test]", "sender_dependent_relayhost_maps = hash:/own")
MASTER_LINES = (
    "smtp/inet/smtpd_banner=own",
    "smtp/unix/smtp_helo_name = own.test",
    "relay/unix/syslog_name=own",
    "relay/unix/smtp_helo_name=",
    "# a comment",
)
YAML_LINES = (*MASTER_LINES, "relay-r/unix/smtp_helo_name=own.test", "relay-s/unix/smtp_tls_security_level=may")


pytestmark = pytest.mark.usefixtures("our_image")


@st.composite
def states(draw: st.DrawFn) -> State:
    """Draw relays, and a few lines of each file."""
    relays = draw(st.sampled_from([State(), MAPS, SWITCHED, YAML, MOVED]))
    is_yaml, is_maps = "relay.yaml" in relays.files, relays in (State(), MAPS)
    files = dict(relays.files)
    for name, lines in {
        MAIN: MAPS_LINES if is_maps else MAIN_LINES,
        MASTER: YAML_LINES if is_yaml else MASTER_LINES,
    }.items():
        if draw(st.booleans()):
            files[name] = "\n".join(draw(st.lists(st.sampled_from(lines), max_size=4)))
    return State(relays.env, files)


@pytest.mark.long
@pytest.mark.soak
@pytest.mark.parametrize("base", BASES)
def test_any_sequence_ends_as_a_first_boot(figures: Figures, base: str) -> None:
    """Whatever the files said before, and whatever the relays were; without inputs all is as it was before us."""

    @settings(max_examples=max(1, EXAMPLES // len(BASES)), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(states=st.lists(states(), min_size=2, max_size=5))
    def check(states: list[State]) -> None:
        with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
            sandbox = Sandbox(Path(directory))
            prepare(sandbox, BASES[base])
            before = machine_of(sandbox)
            for state in states:
                apply(sandbox, state)
            assert machine_of(sandbox) == first_boot(states[-1], BASES[base])
            assert apply(sandbox, states[-1]).startswith("nothing to do")
            apply(sandbox, State())
            assert machine_of(sandbox) == before
            assert (sandbox.postfix_dir / "master.cf").read_text() == MASTER_CF
            assert sorted(path.name for path in sandbox.postfix_dir.iterdir()) == ["main.cf", "master.cf"]
        figures(1, "sequences of inputs with an operator's own files: each ends as a first boot")

    check()


class _StoppedError(Exception):
    """The run ends here."""


def _stop_at(number: int, sandbox: Sandbox, state: State) -> bool:
    """Apply, and stop before the given change of a file; return True if it was not reached."""
    left = number

    def counted(change: Callable[..., None]) -> Callable[..., None]:
        def make(*arguments: object, **options: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise _StoppedError
            change(*arguments, **options)

        return make

    with (
        patch("dms_relay.files.replace", counted(files.replace)),
        patch("dms_relay.postfix.main_cf_file.edit", counted(main_cf_file.edit)),
    ):
        try:
            apply(sandbox, state)
        except _StoppedError:
            return False
    return True


@pytest.mark.parametrize("later", ["the same", "the one before", "none"])
def test_a_run_that_is_cut_short(later: str) -> None:
    """Stopped before any of its changes: the next run ends where a first boot would, and taking all away leaves nothing."""
    old = State({}, MOVED.files | {MAIN: MAIN_LINES[0], MASTER: YAML_LINES[-1] + "\n" + MASTER_LINES[0]})
    new = State(
        {}, YAML.files | {MAIN: MAIN_LINES[1] + "\n" + MAIN_LINES[4], MASTER: MASTER_LINES[1] + "\n" + YAML_LINES[-2]}
    )
    wanted = {"the same": new, "the one before": old, "none": State()}[later]
    number, is_done = 0, False
    while not is_done:
        with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
            sandbox = Sandbox(Path(directory))
            prepare(sandbox)
            before = machine_of(sandbox)
            apply(sandbox, old)
            is_done = _stop_at(number, sandbox, new)
            apply(sandbox, wanted)
            assert machine_of(sandbox) == first_boot(wanted, BASE_MAIN_CF), number
            apply(sandbox, State())
            assert machine_of(sandbox) == before, number
            assert (sandbox.postfix_dir / "master.cf").read_text() == MASTER_CF, number
        number += 1
    assert number > 5
