"""``smtp_sasl_mechanism_filter`` of main.cf, in each way in which it can be written: the command reads it as Postfix does.

A service of master.cf for each filter, and a message by each; the command runs once for each.
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from dms_relay.postfix.mechanism_filter import passes
from dms_relay.relay_test import sasl
from dms_relay.relay_test.demand import Demand
from dms_relay.relay_test.mechanisms import OURS, choose
from dms_relay.relay_test.outcome import StepError
from testbed import PATIENCE, Auth, Inputs, Mode, Testbed, Tls
from testbed.inputs import LOGINS
from testbed.layout import write_old
from tests.running.needs import require_postfix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "s3cret-P4ss"
#: ``{}`` is a directory with a table, an empty one and a file.
FILTERS = (
    "plain, login",
    "PLAIN LOGIN",
    "login",
    "!digest-md5, static:rest",
    "!plain, !login, !cram-md5, static:rest",
    "!plain",
    "static:all",
    "!static:all, plain",
    "texthash:{}/table",
    "!texthash:{}/table, static:rest",
    "texthash:{}/empty",
    "texthash:{}/empty, login",
    "!texthash:{}/empty, static:rest",
    "{}/file",
    "!{}/file, plain",
    "plain, {}/file",
    "xoauth2",
)
LISTS = ("PLAIN LOGIN CRAM-MD5 DIGEST-MD5", "LOGIN NTLM")
_ATTEMPT = re.compile(r"to=<friend@(f\d+l\d+)\.world>, .* status=(\w+) \((.*)\)$", re.MULTILINE)

Seen = dict[str, tuple[dict[str, Any], tuple[str, str]]]


def write_tables(directory: Path) -> None:
    """Write what the filters name."""
    directory.chmod(0o755)
    for name, text in {
        "table": "plain x\nscram-sha-1 x\nntlm x\n",
        "empty": "# nothing\n",
        "file": "# x\nlogin\n",
    }.items():
        (directory / name).write_text(text)
        os.utime(directory / name, (0, 0))  # Postfix waits for a table that was just written


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Yield the result of the command and of Postfix for each filter and each list."""
    require_postfix()
    with Testbed() as testbed:
        modes = [
            Mode(Tls.NONE, Auth.DEMANDED, logins={"u": PASSWORD}, mechanisms=tuple(names.split())) for names in LISTS
        ]
        relays = [testbed.relay(f"l{number}", mode) for number, mode in enumerate(modes)]
        cases = [(f"f{f}l{r}", f"f{f}", relay) for f, _ in enumerate(FILTERS) for r, relay in enumerate(relays)]
        routes = " ".join(f"{{{name}.world={service}:{relay.nexthop}}}" for name, service, relay in cases)
        settings = {
            **dict.fromkeys(("minimal_backoff_time", "maximal_backoff_time", "queue_run_delay"), "1h"),
            "transport_maps": f"inline:{{{routes}}}",
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": f"static:u:{PASSWORD}",
            "smtp_sasl_security_options": "noanonymous",
            "smtp_tls_security_level": "may",
        }
        postfix = testbed.postfix(settings, start=False)
        write_tables(postfix.config)
        filters = [text.format(*[postfix.config] * text.count("{}")) for text in FILTERS]
        with (postfix.config / "master.cf").open("a") as file:
            for number, text in enumerate(filters):
                file.write(f"f{number} unix - - y - - smtp\n  -o {{ smtp_sasl_mechanism_filter = {text} }}\n")
        postfix.start()
        for name, _, _ in cases:
            postfix.send(f"anna@{name}.test", [f"friend@{name}.world"], name)
        end = time.monotonic() + PATIENCE
        while len(found := {name: (status, says) for name, status, says in _ATTEMPT.findall(postfix.log())}) < len(
            cases
        ):
            assert time.monotonic() < end, found
            time.sleep(0.1)
        results = {}
        inputs = Inputs(tmp_path_factory.mktemp("config"))
        inputs.write("postfix-main.cf", "smtp_tls_security_level = may\n")
        inputs.write(LOGINS, "".join(f"{relay.nexthop} u:{PASSWORD}\n" for relay in relays))
        inputs.write("postfix-relaymap.cf", "".join(f"@a{n}.test {relay.nexthop}\n" for n, relay in enumerate(relays)))
        main_cf = (postfix.config / "main.cf").read_text()
        for number, text in enumerate(filters):
            write_old(postfix.config / "main.cf", f"{main_cf}smtp_sasl_mechanism_filter = {text}\n")
            run = inputs.run(postfix, "test", "--json")
            assert run.returncode in {0, 1}, run.stderr
            for at, result in enumerate(json.loads(run.stdout)["results"]):
                results[f"f{number}l{at}"] = result
        yield {name: (results[name], found[name]) for name, _, _ in cases}


@pytest.mark.parametrize("names", LISTS)
@pytest.mark.parametrize("text", FILTERS)
def test_filter(seen: Seen, text: str, names: str) -> None:
    """The command says ``ok`` where Postfix delivers, and only there; else it names the filter, or what Postfix uses."""
    result, (status, says) = seen[f"f{FILTERS.index(text)}l{LISTS.index(names)}"]
    assert (result["result"] == "ok") == (status == "sent"), (result, says)
    assert result["result"] in {"ok", "mechanism", "not checked"}
    assert (result["result"] == "mechanism") == ("no compatible authentication mechanisms" in says), (result, says)


@pytest.mark.parametrize(
    ("name", "words", "is_permitted"),
    [
        ("plain", (), True),
        ("plain", ("plain", "login"), True),
        ("ntlm", ("plain", "login"), False),
        ("plain", ("!plain", "plain"), False),
        ("plain", ("texthash:/x", "plain"), False),
        ("plain", ("plain", "/x"), True),
        ("plain", ("!/x", "plain"), False),
    ],
)
def test_words(name: str, words: tuple[str, ...], *, is_permitted: bool) -> None:
    """The first word that matches decides; a table that was not read could match anything, and permits nothing."""
    assert passes(name, words) == is_permitted


@pytest.mark.parametrize("offered", [("PLAIN", "LOGIN"), ("PLAIN", "CRAM-MD5"), ("PLAIN", "DIGEST-MD5")])
def test_without_the_library(monkeypatch: pytest.MonkeyPatch, offered: tuple[str, ...]) -> None:
    """Where Cyrus SASL cannot be asked, the strongest counts that it could have."""
    sasl.loaded.cache_clear()
    monkeypatch.setattr(sasl, "LIBRARY", "libnone.so.0")
    try:
        if offered[1] in OURS:
            assert choose(offered, Demand("encrypt"), in_tls=True) == ("CRAM-MD5" if "CRAM-MD5" in offered else "PLAIN")
        else:
            with pytest.raises(
                StepError, match=r"^not checked: of the mechanisms offered Postfix would choose DIGEST-MD5, "
            ):
                choose(offered, Demand("encrypt"), in_tls=True)
    finally:
        sasl.loaded.cache_clear()


def test_no_plugins(tmp_path: Path) -> None:
    """Where the plugins of Cyrus SASL are not installed, Postfix cannot log in, and the remedy is to install them."""
    require_postfix()
    with Testbed() as testbed:
        relay = testbed.relay("r", Mode(logins={"u": PASSWORD}))
        postfix = testbed.postfix(start=False)
        inputs = Inputs(tmp_path / "config", DEFAULT_RELAY_HOST=relay.nexthop, RELAY_USER="u", RELAY_PASSWORD=PASSWORD)
        assert inputs.run(postfix, "test").returncode == 0
        inputs.settings["SASL_PATH"] = str(tmp_path)
        (result,) = json.loads(inputs.run(postfix, "test", "--json").stdout)["results"]
    assert result["result"] == "mechanism"
    assert result["failure"]["what"].startswith("Cyrus SASL has no plugin for the mechanisms that the server offers: ")
    assert result["failure"]["remedy"] == "install libsasl2-modules"
    assert len(relay.attempts) == 1
