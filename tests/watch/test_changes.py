"""Each way in which an input can change is seen, and ends where a first boot with the same inputs would."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.watch.keeping import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.watch.keeping import Keeping

ROUTE = "@{0}.test [{0}.relay]:587\n"
RELAY_YAML = """\
version: 1
relays:
  one:
    host: one.relay
    login: {{username: u, password_file: {secret}}}
    tls: {{ca_file: {authority}}}
default: one
"""


def rename(path: Path, text: str) -> None:
    """Put a new file in the place of another, as an editor does."""
    new = path.with_name("new.tmp")
    new.write_text(text)
    new.rename(path)


def rewrite(path: Path, text: str) -> None:
    """Write into the same file, as ``cat > file`` does."""
    with path.open("r+" if path.exists() else "w") as file:
        file.truncate()
        file.write(text)


def swap(path: Path, text: str) -> None:
    """Change it as Kubernetes does: the file is a link through ``..data``, which is replaced by rename."""
    directory = path.parent / f"..{time.monotonic_ns()}"
    directory.mkdir()
    (directory / path.name).write_text(text)
    (path.parent / "..data.tmp").symlink_to(directory.name)
    (path.parent / "..data.tmp").rename(path.parent / "..data")
    if not path.is_symlink():
        path.unlink(missing_ok=True)
        path.symlink_to(f"..data/{path.name}")


def half(path: Path, text: str) -> None:
    """Write half of it, and the rest later."""
    with path.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        time.sleep(0.4)
        file.write(text[len(text) // 2 :])


def come_back(path: Path, text: str) -> None:
    """Remove it, and write it again later."""
    path.unlink(missing_ok=True)
    time.sleep(0.4)
    path.write_text(text)


WAYS: tuple[Callable[[Path, str], None], ...] = (rename, rewrite, swap, half, come_back)


def test_every_way(keeping: Keeping) -> None:
    """A file that comes, is replaced, rewritten, swapped through a link, half written or gone for a while is applied."""
    keeping.start()
    path = keeping.sandbox.config_dir / "postfix-relaymap.cf"
    for number, way in enumerate((*WAYS, swap, rename)):
        way(path, ROUTE.format(f"n{number}"))
        keeping.settle()
        assert keeping.sandbox.table("relayhost_map") == {f"@n{number}.test": f"[n{number}.relay]:587"}, way
        assert keeping.machine() == keeping.first_boot()
    path.unlink()
    keeping.settle()
    assert keeping.machine() == keeping.first_boot()
    assert keeping.health() == ["ok"]


def test_files_that_variables_name(keeping: Keeping, tmp_path: Path) -> None:
    """A secret file that a variable names counts, wherever it is."""
    keeping.start()
    rename(tmp_path / "secret", "two\n")
    keeping.settle()
    assert (keeping.sandbox.table("sasl_passwd") or {}) == {"[d.test]:587": "u:two"}


def test_files_that_relay_yaml_names(keeping: Keeping, tmp_path: Path) -> None:
    """password_file and ca_file count from the moment at which relay.yaml names them; so does a file that is not there."""
    for name in ("DEFAULT_RELAY_HOST", "RELAY_USER", "RELAY_PASSWORD__FILE"):
        del keeping.env[name]
    keeping.start()
    authority, secret = tmp_path / "authority", tmp_path / "late"
    authority.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    keeping.sandbox.write("relay.yaml", RELAY_YAML.format(secret=secret, authority=authority))
    keeping.settle()
    assert keeping.health()[0] == "wrong"
    assert {str(secret), str(authority)} <= keeping.record()["apply"]["looks"].keys()
    secret.write_text("late\n")
    keeping.settle()
    assert keeping.health() == ["ok"], keeping.log()
    assert keeping.machine() == keeping.first_boot()
    authority.unlink()
    keeping.settle()
    assert keeping.health()[0] == "wrong"


@pytest.mark.parametrize("name", ["vhost", "postfix-accounts.cf", "postfix-virtual.cf"])
def test_managed_domains(keeping: Keeping, name: str) -> None:
    """Domains that the server manages count where RELAY_HOST serves them, in each of the files that may name them."""
    keeping.env |= {"RELAY_HOST": "r.test"}
    del keeping.env["DEFAULT_RELAY_HOST"]
    keeping.start()
    line = {"vhost": "m.test\n", "postfix-accounts.cf": "a@m.test|{PLAIN}x\n"}.get(name, "a@m.test b@other.test\n")
    keeping.sandbox.write(name, line)
    keeping.settle()
    assert (keeping.sandbox.table("relayhost_map") or {}) == {"@m.test": "[r.test]:25"}


def test_rights_on_the_way(keeping: Keeping) -> None:
    """Inputs that others could change are wrong, and right again once the directory's rights are."""
    keeping.start()
    keeping.sandbox.config_dir.chmod(0o777)
    keeping.settle()
    assert keeping.health()[0] == "wrong"
    keeping.sandbox.config_dir.chmod(0o755)
    keeping.settle()
    assert keeping.health() == ["ok"]


def test_two_edits_in_quick_succession(keeping: Keeping) -> None:
    """An edit while the previous one is being applied is applied after it."""
    keeping.start()
    path = keeping.sandbox.config_dir / "postfix-relaymap.cf"
    rename(path, ROUTE.format("first"))
    wait_until(lambda: keeping.record()["children"], "a child")
    rename(path, ROUTE.format("second"))
    keeping.settle()
    assert (keeping.sandbox.table("relayhost_map") or {}) == {"@second.test": "[second.relay]:587"}


def test_restless(keeping: Keeping) -> None:
    """Inputs that change all the time are applied all the same."""
    keeping.start()
    path = keeping.sandbox.config_dir / "postfix-relaymap.cf"
    for number in range(1000):
        rename(path, ROUTE.format(f"n{number}"))
        if keeping.sandbox.table("relayhost_map"):
            return
        time.sleep(0.03)
    raise AssertionError(keeping.log())


def test_nothing_that_is_not_an_input(keeping: Keeping) -> None:
    """A change of Postfix's own files, or of a time at which a file was read, is none of the inputs."""
    keeping.sandbox.write("postfix-relaymap.cf", ROUTE.format("a"))
    keeping.start()
    before = keeping.record()["apply"]["at"]
    (keeping.sandbox.config_dir / "postfix-relaymap.cf").read_text()
    keeping.sandbox.write_main_cf(keeping.sandbox.main_cf.read_text())
    os.utime(keeping.sandbox.postfix_dir / "master.cf")
    time.sleep(0.6)
    assert keeping.record()["apply"]["at"] == before
