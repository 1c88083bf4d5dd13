"""What counts of a Postfix configuration with relays that have a transport of their own, so that two can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dms_relay.postfix import master_cf

if TYPE_CHECKING:
    from tests.support.sandbox import Sandbox

#: A small master.cf, as Debian has it.
MASTER_CF = """\
# Services.
smtp      inet  n       -       y       -       -       smtpd
qmgr      unix  n       -       n       300     1       qmgr
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
# The end.
"""


class Machine(NamedTuple):
    """Tables with their modes, parameters, services of ours, and all else that stands in master.cf."""

    tables: dict[str, tuple[bytes, int]]
    parameters: dict[str, str]
    services: dict[str, master_cf.Service | None]
    others: str


def prepare(sandbox: Sandbox, main_cf: str | None = None) -> None:
    """Write a master.cf into a sandbox, and a main.cf where it is told."""
    (sandbox.postfix_dir / "master.cf").write_text(MASTER_CF)
    if main_cf is not None:
        sandbox.write_main_cf(main_cf)


def machine_of(sandbox: Sandbox) -> Machine:
    """Return what counts, without the name of the directory; the order of services does not."""
    here = str(sandbox.postfix_dir)
    paths = [
        p for p in sandbox.postfix_dir.rglob("*") if p.is_file() and p.name not in {"main.cf", "master.cf", "vhost"}
    ]
    paths = [path for path in paths if path.name != "dms-relay.state.json"]
    text = (sandbox.postfix_dir / "master.cf").read_text()
    found = master_cf.services(text)
    return Machine(
        {str(p.relative_to(sandbox.postfix_dir)): (p.read_bytes(), p.stat().st_mode & 0o777) for p in paths},
        {name: value.replace(here, "HERE") for name, value in sandbox.postconf_n().items()},
        {name: entry.service and _moved(entry.service, here) for name, entry in found.items()},
        master_cf.edit(text, dict.fromkeys(found)),
    )


def _moved(service: master_cf.Service, here: str) -> master_cf.Service:
    return master_cf.Service(service.chroot, tuple((n, v.replace(here, "HERE")) for n, v in service.overrides))
