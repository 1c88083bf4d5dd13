"""``settings``: what a send-only Postfix in a container is given, from values and from a real kernel and postconf."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from ipaddress import ip_interface
from typing import TYPE_CHECKING

import pytest

from dms_relay.container import settings
from dms_relay.container.settings import ContainerHost, mynetworks, parameters
from dms_relay.errors import InputError, MissingInputError, PostfixError
from dms_relay.interfaces import InterfaceAddress
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sandbox import Sandbox

LOOPBACK = "127.0.0.0/8 [::1]/128"
ONE = ContainerHost("mail.example.test", (InterfaceAddress("eth0", ip_interface("172.18.0.5/24")),))
SEVERAL = ContainerHost(
    "mail.example.test",
    (
        InterfaceAddress("eth0", ip_interface("10.89.7.5/24")),
        InterfaceAddress("eth0", ip_interface("fd00:1::5/64")),
        InterfaceAddress("eth1", ip_interface("192.168.3.4/20")),
        InterfaceAddress("eth1", ip_interface("192.168.3.9/20")),
    ),
)
BARE = ContainerHost("mail.example.test", ())
MASTER_CF = """\
# service type  private unpriv  chroot  wakeup  maxproc command
smtp      inet  n       -       y       -       -       smtpd
  -o smtpd_banner=y
#smtp     inet  n       -       y       -       1       postscreen

pickup    unix  n       -       -       60      1       pickup
qmgr      unix  n       -       n       300     1       qmgr
"""


@pytest.fixture
def postfix(sandbox: Sandbox) -> Postfix:
    """Return a Postfix configuration whose services run in the chroot."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    return Postfix(sandbox.postfix_dir)


def errors(environ: dict[str, str], machine: ContainerHost = ONE) -> list[str]:
    """Return what is wrong, a line each."""
    with pytest.raises(InputError) as caught:
        parameters(environ, machine)
    assert caught.value.exit_code == os.EX_CONFIG
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("value", "machine", "networks"),
    [
        ("none", SEVERAL, ""),
        ("", SEVERAL, ""),
        ("container", ONE, " 172.18.0.5/32"),
        ("container", SEVERAL, " 10.89.7.5/32 192.168.3.4/32 192.168.3.9/32 [fd00:1::5]/128"),
        ("host", ONE, " 172.18.0.0/16"),
        ("host", SEVERAL, " 10.89.0.0/16"),
        ("network", ONE, " 172.16.0.0/12"),
        ("network", BARE, " 172.16.0.0/12"),
        ("connected-networks", ONE, " 172.18.0.0/24"),
        ("connected-networks", SEVERAL, " 10.89.7.0/24 192.168.0.0/20 [fd00:1::]/64"),
        ("connected-networks", BARE, ""),
    ],
)
def test_permit_docker(value: str, machine: ContainerHost, networks: str) -> None:
    """Each value of PERMIT_DOCKER names its networks, each once, after loopback."""
    assert mynetworks({"PERMIT_DOCKER": value}, machine) == LOOPBACK + networks


def test_default_is_loopback_alone() -> None:
    """Without PERMIT_DOCKER nobody but loopback may send."""
    assert mynetworks({}, SEVERAL) == LOOPBACK


def test_host_is_about_one_interface() -> None:
    """PERMIT_DOCKER=host takes the network of NETWORK_INTERFACE, eth0 where that is not set or empty."""
    assert mynetworks({"PERMIT_DOCKER": "host", "NETWORK_INTERFACE": "eth1"}, SEVERAL) == f"{LOOPBACK} 192.168.0.0/16"
    assert mynetworks({"PERMIT_DOCKER": "host", "NETWORK_INTERFACE": ""}, SEVERAL) == f"{LOOPBACK} 10.89.0.0/16"
    assert errors({"PERMIT_DOCKER": "host", "NETWORK_INTERFACE": "eth9"}) == [
        (
            'env PERMIT_DOCKER: "host" needs an IPv4 address, and the interface "eth9" has none'
            " -- name the interface in NETWORK_INTERFACE, or write connected-networks"
        ),
    ]


@pytest.mark.parametrize("value", ["all", "None", "none ", "172.16.0.0/12", "connected-networks\n", "container,host"])
def test_other_values_are_errors(value: str) -> None:
    """Any other value is an error that names it, in one line, and those that are known."""
    shown = value.replace("\n", "\\n")
    assert errors({"PERMIT_DOCKER": value}) == [
        (
            f'env PERMIT_DOCKER: "{shown}" is not one of those allowed -- '
            "write one of none, container, host, network, connected-networks"
        ),
    ]


@pytest.mark.parametrize(
    ("value", "networks"),
    [
        ("", ""),
        (" ,\n", ""),
        ("10.0.0.0/8, fd00::/8", " 10.0.0.0/8 [fd00::]/8"),
        ("fd00::/8,10.0.0.0/8\t10.0.0.0/8\n", " 10.0.0.0/8 [fd00::]/8"),
        ("192.0.2.7 2001:DB8::1", " 192.0.2.7/32 [2001:db8::1]/128"),
        ("fc00::/7", " [fc00::]/7"),
    ],
)
def test_relay_permit(value: str, networks: str) -> None:
    """RELAY_PERMIT is a list of networks and addresses, with blanks or commas between; each counts once."""
    assert mynetworks_of({"RELAY_PERMIT": value}) == LOOPBACK + networks


def mynetworks_of(environ: dict[str, str], machine: ContainerHost = ONE) -> str:
    """Return the networks that an environment gives."""
    return parameters(environ, machine)["mynetworks"]


def test_both_permits() -> None:
    """RELAY_PERMIT adds to what PERMIT_DOCKER says; what both name stands once."""
    both = {"PERMIT_DOCKER": "connected-networks", "RELAY_PERMIT": "172.18.0.0/24 10.42.0.0/16"}
    assert mynetworks_of(both) == f"{LOOPBACK} 10.42.0.0/16 172.18.0.0/24"


OPEN = "includes a part of the Internet, which could then send through your relay (an open relay)"
OWN = "write only the networks of your own clients, each with"
NO_NETWORK, BITS = "is not a network, nor an address", "is not a network: the number of bits comes after the slash"
EXAMPLE = "write networks, such as 10.0.0.0/8, fd00::/8"


@pytest.mark.parametrize(
    ("word", "text", "remedy"),
    [
        (
            "10.1.2.3/8",
            "is not a network: 10.1.2.3 is an address in it",
            "write 10.0.0.0/8, or 10.1.2.3 for this address alone",
        ),
        (
            "fd00::1/8",
            "is not a network: fd00::1 is an address in it",
            "write fd00::/8, or fd00::1 for this address alone",
        ),
        ("0.0.0.0/0", OPEN, f"{OWN} /8 or more"),
        ("10.0.0.0/0", OPEN, f"{OWN} /8 or more"),
        ("128.0.0.0/1", OPEN, f"{OWN} /8 or more"),
        ("::/0", OPEN, f"{OWN} /7 or more"),
        ("2000::/3", OPEN, f"{OWN} /7 or more"),
        ("0.0.0.0/0.0.0.0", BITS, f"{OWN} /8 or more"),
        ("10.0.0.0/255.0.0.0", BITS, "write 10.0.0.0/8"),
        ("10.0.0.0/", BITS, EXAMPLE),
        ("[fd00::]/8", "has brackets", "write fd00::/8"),
        ("[fd00::1]/8", "has brackets", "write fd00::/8"),
        ("::ffff:10.0.0.0/104", "is IPv4 in the form of IPv6", "write 10.0.0.0/8"),
        ("fe80::1%eth0", "names an interface", EXAMPLE),
        ("10.0.0.0/33", NO_NETWORK, EXAMPLE),
        ("010.0.0.0/8", NO_NETWORK, EXAMPLE),
        ("!10.0.0.0/8", NO_NETWORK, EXAMPLE),
        ("connected-networks", NO_NETWORK, EXAMPLE),
        ("/etc/networks", BITS, EXAMPLE),
        ("$mynetworks", NO_NETWORK, EXAMPLE),
        ("client.example", NO_NETWORK, EXAMPLE),
    ],
)
def test_wrong_networks(word: str, text: str, remedy: str) -> None:
    """What is no network, or one that makes an open relay, is an error with the right network, which is then taken."""
    assert errors({"RELAY_PERMIT": f"192.0.2.0/24, {word}"}) == [f'env RELAY_PERMIT: "{word}" {text} -- {remedy}']
    written = re.search(r"write ([0-9a-f.:]+(?:/[0-9]+)?)", remedy)
    if written and remedy != EXAMPLE:
        assert mynetworks_of({"RELAY_PERMIT": written[1]}).startswith(LOOPBACK)


def test_the_example_is_right() -> None:
    """What the remedy of a wrong word has for an example can be written."""
    assert mynetworks_of({"RELAY_PERMIT": EXAMPLE.partition("as ")[2]}) == f"{LOOPBACK} 10.0.0.0/8 [fd00::]/8"


@pytest.mark.parametrize("value", ["30s", "2m", "45", "0.5s", "1m", "1h", "24h", "1d", "30S", "30 s"])
def test_drain_is_a_time(value: str) -> None:
    """RELAY_DRAIN is a time, written as for every other setting; it changes nothing of Postfix's."""
    assert parameters({"RELAY_DRAIN": value}, ONE) == parameters({}, ONE)


@pytest.mark.parametrize("value", ["yes", "no", "0", "-1", "25h", "1w", "30x", "s", "86401", "1e3", "inf"])
def test_drain_is_nothing_else(value: str) -> None:
    """Any other value is an error that says what to write."""
    assert errors({"RELAY_DRAIN": value}) == [
        f'env RELAY_DRAIN: "{value}" is not a time that a drain can have -- write seconds, 90s, 5m, or 1h; at most 1d'
    ]


@pytest.mark.parametrize(
    ("told", "hostname", "expected"),
    [
        ("mx.example.com", "ignored", "mx.example.com"),
        ("single", "ignored", "single"),
        ("", "mail.example.com", "mail.example.com"),
        ("", "0a1b2c3d4e5f", "0a1b2c3d4e5f.localdomain"),
        ("", "012345678901", "012345678901.localdomain"),
        ("", "mail_relay-1", "mail_relay-1.localdomain"),
    ],
)
def test_myhostname(told: str, hostname: str, expected: str) -> None:
    """POSTFIX_MYHOSTNAME, or the host name; where that has no domain, with the one that Postfix would append."""
    machine = ContainerHost(hostname, ())
    assert parameters({"POSTFIX_MYHOSTNAME": told}, machine)["myhostname"] == expected


@pytest.mark.parametrize(
    "name",
    [
        "-a.example.com",
        "a-.example.com",
        "a..example.com",
        ".example.com",
        "example.com.",
        "a b.example.com",
        "a.example.com\nrelayhost=x",
        "$mydomain",
        "münchen.example",
        "10.1.2.3",
        "123",
        "[10.1.2.3]",
        "x" * 64 + ".example.com",
        ".".join(["abcdefg"] * 33),
    ],
)
def test_wrong_host_names(name: str) -> None:
    """What Postfix would refuse as a host name, or take for something else, is an error that shows it in one line."""
    shown = name.encode("unicode_escape").decode()
    remedy = "write a full name, such as mail.example.com"
    assert errors({"POSTFIX_MYHOSTNAME": name}) == [f'env POSTFIX_MYHOSTNAME: "{shown}" is not a host name -- {remedy}']


def test_wrong_host_name_of_the_container() -> None:
    """A host name that Postfix would refuse is an error that names the variable to set."""
    assert errors({}, ContainerHost("-mail", ())) == [
        (
            'env POSTFIX_MYHOSTNAME: is not set, and the container\'s host name "-mail.localdomain" is not a host name'
            " -- write a full name, such as mail.example.com"
        ),
    ]


def test_all_problems_at_once() -> None:
    """Every wrong value is reported, sorted."""
    lines = errors(
        {"POSTFIX_MYHOSTNAME": "-", "PERMIT_DOCKER": "x", "RELAY_PERMIT": "a 10.0.0.0/8 b", "RELAY_DRAIN": "x"}
    )
    names = ["PERMIT_DOCKER", "POSTFIX_MYHOSTNAME", "RELAY_DRAIN", "RELAY_PERMIT", "RELAY_PERMIT"]
    assert [line.partition(":")[0] for line in lines] == [f"env {name}" for name in names]


@pytest.mark.parametrize("value", ["true", "No", "no ", "0"])
def test_watch_is_yes_or_no(value: str) -> None:
    """RELAY_WATCH is yes, no or empty; any other value is an error that names these."""
    assert [parameters({"RELAY_WATCH": right}, ONE) for right in ("yes", "no", "")] == [parameters({}, ONE)] * 3
    assert errors({"RELAY_WATCH": value}) == [
        f'env RELAY_WATCH: "{value}" is not one of those allowed -- write one of yes, no'
    ]


def test_send_only() -> None:
    """Postfix takes mail for nobody, relays for its networks alone, trusts the system's authorities, logs to stdout."""
    assert parameters({}, ONE) == {
        "compatibility_level": "3.6",
        "maillog_file": "/dev/stdout",
        "myhostname": "mail.example.test",
        "myorigin": "$myhostname",
        "mydestination": "",
        "inet_interfaces": "all",
        "inet_protocols": "ipv4",
        "mynetworks": LOOPBACK,
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtp_tls_CAfile": "/etc/ssl/certs/ca-certificates.crt",
        "smtp_host_lookup": "dns, native",
    }


@pytest.mark.parametrize(("machine", "expected"), [(ONE, "ipv4"), (BARE, "ipv4"), (SEVERAL, "all")])
def test_ipv6_only_where_there_is_an_address(machine: ContainerHost, expected: str) -> None:
    """IPv6 is used only where an interface has an address for it."""
    assert parameters({}, machine)["inet_protocols"] == expected


@pytest.mark.skipif(shutil.which("hostname") is None, reason="no program that knows the addresses")
def test_the_kernel_tells_its_addresses() -> None:
    """The addresses are those that ``hostname -I`` gives: all but loopback and link-local IPv6 ones."""
    machine = settings.this_machine()
    told = subprocess.run(["hostname", "-I"], capture_output=True, check=True, text=True).stdout.split()
    assert sorted(str(address.value.ip) for address in machine.addresses) == sorted(told)
    assert {address.interface for address in machine.addresses} <= {name for _, name in socket.if_nameindex()}
    assert machine.hostname == socket.gethostname()


def test_sets_what_is_wanted(postfix: Postfix, sandbox: Sandbox) -> None:
    """Afterwards Postfix reads each parameter as wanted, and no service runs in the chroot; other settings stay."""
    changed = settings.set_up(postfix, parameters({}, ONE))
    assert {"mynetworks", "mydestination", "chroot"} <= set(changed)
    assert "compatibility_level" not in changed  # base-main.cf has it already
    found = sandbox.postconf_n()
    found.pop("config_directory", None)  # -c, which postconf shows as if it were set
    assert found == {
        **parameters({}, ONE),
        "relayhost": "",
        "smtp_tls_security_level": "may",
        "smtp_tls_CApath": "/etc/ssl/certs",
    }
    command = ["postconf", "-c", str(sandbox.postfix_dir), "-hF", "*/*/chroot"]
    assert set(subprocess.run(command, capture_output=True, check=True).stdout.split()) == {b"n"}


def test_what_is_right_is_not_written(postfix: Postfix, sandbox: Sandbox) -> None:
    """A second run changes no file, not even its time."""
    settings.set_up(postfix, parameters({}, ONE))
    before = sandbox.snapshot()
    assert settings.set_up(postfix, parameters({}, ONE)) == []
    assert sandbox.snapshot() == before


def test_networks_are_set_not_added(postfix: Postfix, sandbox: Sandbox) -> None:
    """A network that was permitted is not any more when its setting is gone."""
    for value in ("network", "connected-networks", "none"):
        changed = settings.set_up(postfix, parameters({"PERMIT_DOCKER": value}, ONE))
        assert "mynetworks" in changed
    assert sandbox.postconf_n()["mynetworks"] == LOOPBACK


def test_relay_parameters_are_left_alone(postfix: Postfix, sandbox: Sandbox) -> None:
    """What dms-relay, or the operator, has set for a relay survives."""
    sandbox.write_main_cf("relayhost = [relay.test]:587\nsmtp_tls_security_level = secure\nmessage_size_limit = 1\n")
    settings.set_up(postfix, parameters({}, ONE))
    found = sandbox.postconf_n()
    assert (found["relayhost"], found["smtp_tls_security_level"]) == ("[relay.test]:587", "secure")
    assert found["message_size_limit"] == "1"


def test_main_cf_is_cool(postfix: Postfix) -> None:
    """Postfix need not wait for main.cf, whether it was written here or by another hook a moment ago."""
    wanted = parameters({}, ONE)
    settings.set_up(postfix, wanted)
    assert time.time() - postfix.main_cf.stat().st_mtime > settings.HOT
    postfix.main_cf.touch()
    settings.set_up(postfix, wanted)
    assert time.time() - postfix.main_cf.stat().st_mtime > settings.HOT


def test_no_program_but_for_the_chroot(postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters are set without a program of Postfix's; one postconf runs for all services in the chroot, then none."""
    calls = tmp_path / "calls"
    spy(tmp_path, monkeypatch, f'echo "$3" >> {calls}; exec {shutil.which("postconf")} "$@"')
    settings.set_up(postfix, parameters({}, ONE))
    settings.set_up(postfix, parameters({}, ONE))
    assert calls.read_text().split() == ["-F"]


def test_main_cf_keeps_its_mode(postfix: Postfix) -> None:
    """A main.cf that not everybody may read stays so."""
    postfix.main_cf.chmod(0o640)
    settings.set_up(postfix, parameters({}, ONE))
    assert postfix.main_cf.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_main_cf_that_is_mounted(postfix: Postfix, sandbox: Sandbox) -> None:
    """A main.cf that is a mount point cannot be replaced: exit code 73, with what to mount in its place."""
    script = (
        'mount --bind "$1" "$1" && exec "$2" -c "import os, sys\n'
        'from dms_relay.container.settings import run\nsys.exit(run(os.environ))"'
    )
    environ = {"PATH": os.environ["PATH"], "MAIL_CONFIG": str(postfix.directory)}
    before = sandbox.main_cf.read_text()
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(postfix.main_cf), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == os.EX_CANTCREAT, done.stderr
    text = "cannot be written, and is unchanged: Device or resource busy -- mount the directory, not the single file"
    assert f"{postfix.main_cf} {text}" in done.stderr
    assert sandbox.main_cf.read_text() == before


def spy(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program of ours in place of postconf."""
    programs = directory / "programs"
    programs.mkdir()
    (programs / "postconf").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "postconf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def test_a_failing_postconf(postfix: Postfix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A postconf that fails, for main.cf or for master.cf, ends in exit code 69."""
    spy(tmp_path, monkeypatch, 'case $3 in -F) exit 3;; esac; exec /usr/sbin/postconf "$@"')
    with pytest.raises(PostfixError, match=r"^postconf -F failed with exit code 3: without a message$") as caught:
        settings.set_up(postfix, parameters({}, ONE))
    assert caught.value.exit_code == os.EX_UNAVAILABLE


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [("main.cf", MissingInputError, os.EX_NOINPUT), ("master.cf", PostfixError, os.EX_UNAVAILABLE)],
)
def test_a_missing_file(postfix: Postfix, name: str, error: type[MissingInputError], code: int) -> None:
    """Without main.cf or master.cf the run fails with the file's name."""
    (postfix.directory / name).unlink()
    with pytest.raises(error, match=f"{name}.* cannot be read: No such file or directory") as caught:
        settings.set_up(postfix, parameters({}, ONE))
    assert caught.value.exit_code == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp inet n - y - - smtpd\n", True),
        ("smtp inet n - - - - smtpd\n", True),
        ("smtp inet n - n - - smtpd\n", False),
        ("# smtp inet n - y - - smtpd\n#x y y y y\n\n  -o a=y y y y y\n", False),
        ("", False),
    ],
)
def test_has_chroot(text: str, expected: bool) -> None:  # noqa: FBT001 -- a column of the table above
    """A service runs in the chroot unless its column says n; comments and continuation lines are none."""
    assert settings.has_chroot(text) is expected


def test_the_step(postfix: Postfix, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The step succeeds, and says who may send when it has changed something, on standard error."""
    environ = {"MAIL_CONFIG": str(postfix.directory), "POSTFIX_MYHOSTNAME": "mx.example.com"}
    assert settings.run(environ) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert f"Postfix is set up myhostname=mx.example.com mynetworks='{LOOPBACK}'" in said.err
    assert settings.run(environ) == 0
    assert capsys.readouterr().err == ""
    assert sandbox.postconf_n()["myhostname"] == "mx.example.com"


def test_wrong_values(postfix: Postfix, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """With a wrong value the step ends in exit code 78, says why, and writes nothing."""
    before = sandbox.snapshot()
    environ = {"MAIL_CONFIG": str(postfix.directory), "PERMIT_DOCKER": "everyone", "LOG_FORMAT": "json"}
    assert settings.run(environ) == os.EX_CONFIG
    assert '"origin": "env PERMIT_DOCKER"' in capsys.readouterr().err
    assert sandbox.snapshot() == before


def test_without_postfix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no Postfix, the step says so."""
    assert settings.run({"MAIL_CONFIG": str(tmp_path)}) == os.EX_NOINPUT
    assert "main.cf: cannot be read" in capsys.readouterr().err


def test_where_metrics_are_served() -> None:
    """RELAY_METRICS is a port, a host and a port, no, or empty; anything else is an error, as without a keeper."""
    right = (":9154", "127.0.0.1:9154", "[::1]:9154", "no", "")
    assert [parameters({"RELAY_METRICS": value}, ONE) for value in right] == [parameters({}, ONE)] * 5
    remedy = "write :9154 for all addresses, or one of them: 127.0.0.1:9154, [::1]:9154; no for no metrics"
    assert errors({"RELAY_METRICS": "9154"}) == [
        f"env RELAY_METRICS: the value is neither :PORT nor HOST:PORT -- {remedy}"
    ]
    assert errors({"RELAY_METRICS": ":9154", "RELAY_WATCH": "no"}) == [
        "env RELAY_METRICS: with RELAY_WATCH=no nothing serves metrics -- remove RELAY_WATCH, or RELAY_METRICS"
    ]
    assert parameters({"RELAY_METRICS": "no", "RELAY_WATCH": "no"}, ONE) == parameters({}, ONE)
