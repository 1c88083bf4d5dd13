"""The directories and files of a private Postfix instance.

    BASE/              0755, under /tmp or wherever the caller says
      etc/             main.cf, master.cf, ca.pem
      queue/           the queue, and the root directory of smtp(8)
        names/         hosts, nsswitch.conf, resolv.conf: the names that smtp(8) knows
        etc            -> names
      data/            the daemons' own data
      log/mail.log     what Postfix logs

smtp(8) runs in a chroot, only for the sake of names: inside, `/etc/hosts` is
ours, so that the relays have the names of the real services while the machine's
own files do not change. Postfix opens lookup tables before the chroot, so they
may be anywhere and 0600 root. `queue/etc` is a link, because `postfix start`
warns of each file in a directory of that name that differs from the machine's.
"""

import grp
import os
import pwd
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

AGE = 10
"""Seconds by which files are backdated: Postfix waits for files younger than 2 s."""
_REMOVAL = 20.0
"""Seconds for which files that still appear are removed; a run of apply ends sooner."""
_POLL = 0.05
"""Seconds between two looks at what is left."""

_MASTER_CF = """\
{smtpd}   inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""

LOG_SERVICE = "stagelog"
"""The log socket's name; see `testbed.log_socket`."""
_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
"""The directories of the queue, without those for mail of others; see postfix-files."""
_NO_DNS = "nameserver 127.255.255.254\n"
"""A name server that does not exist: a name that is not in the hosts file is unknown at once."""


@dataclass(frozen=True)
class Layout:
    """The paths of one instance."""

    base: Path

    @property
    def config(self) -> Path:
        """The configuration directory, for `postfix -c`."""
        return self.base / "etc"

    @property
    def queue(self) -> Path:
        """The queue directory."""
        return self.base / "queue"

    @property
    def names(self) -> Path:
        """What smtp(8) sees as `/etc`."""
        return self.queue / "names"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.base / "data"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.base / "log" / "mail.log"

    @property
    def log_socket(self) -> Path:
        """The socket that the daemons log to."""
        return self.queue / "public" / LOG_SERVICE

    @property
    def master_pid(self) -> Path:
        """Where the master daemon writes its process id."""
        return self.queue / "pid" / "master.pid"

    @property
    def authority(self) -> Path:
        """The certificate of the authority that smtp(8) trusts."""
        return self.config / "ca.pem"

    @property
    def quick_start(self) -> Path:
        """The file that makes `postfix start` skip its checks, once; see postfix-script."""
        return self.queue / "quick-start"

    def queued(self, name: str) -> list[str]:
        """Return the names of the files in one of the queues, such as `incoming`."""
        return [name for _, _, names in os.walk(self.queue / name) for name in names]

    def remove(self) -> None:
        """Remove the directory with all its contents.

        A program that an interrupt has left alone may write to it until its work is done, so what is new is removed as well.
        """
        end = time.monotonic() + _REMOVAL
        while self.base.exists() and time.monotonic() < end:
            shutil.rmtree(self.base, ignore_errors=True)
            if self.base.exists():
                time.sleep(_POLL)


def create(parent: Path | None = None) -> Layout:
    """Create the directories, with the owners that Postfix requires."""
    base = Path(tempfile.mkdtemp(prefix="dms-relay-postfix-", dir=parent))
    base.chmod(0o755)
    layout = Layout(base)
    for directory in (layout.config, layout.names, layout.data, layout.log.parent):
        directory.mkdir(parents=True)
    (layout.queue / "etc").symlink_to(layout.names.name)
    _make_owned(layout.data, 0o700, "root")
    _make_owned(layout.log_socket.parent, 0o2710, "postdrop")
    _make_owned(layout.queue / "maildrop", 0o730, "postdrop")
    for name in _QUEUES:
        _make_owned(layout.queue / name, 0o700, "root")
    layout.master_pid.parent.mkdir()
    return layout


def _make_owned(directory: Path, mode: int, group: str) -> None:
    directory.mkdir(exist_ok=True)
    os.chown(directory, pwd.getpwnam("postfix").pw_uid, grp.getgrnam(group).gr_gid)
    directory.chmod(mode)


def parameters(layout: Layout) -> dict[str, str]:
    """Return the parameters of an instance that only sends, and retries at once."""
    return _directories(layout) | _receiving() | _sending(layout) | _retrying()


def _directories(layout: Layout) -> dict[str, str]:
    return {
        "compatibility_level": "3.6",
        "queue_directory": str(layout.queue),
        "data_directory": str(layout.data),
        "maillog_file": str(layout.log),
        "maillog_file_prefixes": str(layout.log.parent),
        "postlog_service_name": LOG_SERVICE,
    }


def _receiving() -> dict[str, str]:
    return {
        "myhostname": "mail.testbed.test",
        "mydestination": "",
        "local_recipient_maps": "",
        "alias_maps": "",
        "alias_database": "",
        "append_dot_mydomain": "no",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtpd_peername_lookup": "no",
        "recipient_delimiter": "+",
        "in_flow_delay": "0",
    }


def _sending(layout: Layout) -> dict[str, str]:
    return {
        "smtp_dns_support_level": "disabled",
        "smtp_host_lookup": "native",
        "smtp_tls_CAfile": str(layout.authority),
        "smtp_tls_loglevel": "1",
    }


def _retrying() -> dict[str, str]:
    return {
        "minimal_backoff_time": "1s",
        "maximal_backoff_time": "2s",
        "queue_run_delay": "1s",
        "transport_retry_time": "1s",
    }


def write_main_cf(layout: Layout, settings: Mapping[str, str]) -> None:
    """Write main.cf with `settings`, backdated."""
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    write_old(layout.config / "main.cf", lines)


def write_master_cf(layout: Layout, smtpd_port: int, more: str = "") -> None:
    """Write Debian's services, with a chroot only for smtp(8), and `more` lines."""
    smtpd = f"127.0.0.1:{smtpd_port}"
    write_old(layout.config / "master.cf", _MASTER_CF.format(smtpd=smtpd) + more)


def write_hosts(layout: Layout, hosts: Mapping[str, str]) -> None:
    """Write the names that smtp(8) knows: `hosts` maps a name to an address.

    They include the machine's own name: the SASL library looks it up, and a
    process that has read the machine's nsswitch.conf before the chroot would
    ask a name server.
    """
    own = {"localhost": "127.0.0.1", socket.gethostname(): "127.0.0.1"}
    entries = "".join(f"{address} {name}\n" for name, address in (own | dict(hosts)).items())
    write_old(layout.names / "hosts", entries)
    write_old(layout.names / "nsswitch.conf", "hosts: files\n")
    write_old(layout.names / "resolv.conf", _NO_DNS)


def write_old(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file by rename, with `mode`, backdated so that Postfix accepts it at once."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(mode)
    then = time.time() - AGE
    os.utime(fresh, (then, then))
    fresh.replace(path)
