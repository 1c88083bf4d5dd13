"""All access to Postfix's programs, to its processes and to main.cf.

Reads and writes main.cf itself: a Postfix program would wait up to 2 s for one that was just written (``main_cf_file`` says
more). Raises ``PostfixError`` if a program is missing or fails, ``MissingInputError`` if main.cf cannot be read,
``WriteError`` if it cannot be written.

Known limits: main.cf is read without the lock that ``postconf -e`` takes, as by Postfix's own programs.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from errno import EACCES, EBUSY, ENOENT
from pathlib import Path

from dms_relay.errors import MissingInputError, PostfixError
from dms_relay.files.content import read_whole
from dms_relay.model import Origin, Problem
from dms_relay.postfix import main_cf, main_cf_file, master_cf, master_cf_file
from dms_relay.postfix.processes import children, command, service, takes_mail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dms_relay.postfix.child import Ended

#: Seconds after which a Postfix program counts as failed. ``postfix reload`` takes less than one.
PROGRAM_TIMEOUT = 60
#: Maximum seconds to wait for previous processes to end after a reload; those of smtp(8) may be in a long delivery.
RELOAD_TIMEOUT = 10
_RELOAD_INTERVAL = 0.02
#: Seconds to wait after that. Previous smtp(8) processes may live for another 2 s (seen; median 0.03), but take no new
#: message. A second reload too soon after the first can cost them their connection to tlsmgr(8) (seen after 0.04 s).
_RELOAD_GRACE = 0.2
#: Postfix's queue directory unless main.cf says otherwise (postconf -d, Debian and upstream).
QUEUE_DIRECTORY = "/var/spool/postfix"
#: The exit code of ``postmap -q`` if nothing is found, and its message about a duplicate key (dict_thash.c).
_NOT_FOUND = 1
_TWICE = "duplicate entry"
#: Seconds to wait for a table that asks a server: if a ``tcp:`` server is down, postmap tries ten times, for 10 s (seen).
SERVER_TIMEOUT = 5
#: Programs that may write.
_WRITING = frozenset({"postconf", "postmap"})
_QUOTED = re.compile(r'"[^"]*"')


class Postfix:
    """One Postfix instance, named by its configuration directory."""

    def __init__(self, directory: Path, *, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Store the directory for ``postfix -c``, and a function to call while a program runs."""
        self.directory = directory
        self._meanwhile = meanwhile
        self.main_cf, self.master_cf = directory / "main.cf", directory / "master.cf"
        self.temporary = main_cf_file.temporary_name(self.main_cf)

    def read_main_cf(self) -> str:
        """Return the text of main.cf. Octets that are not UTF-8, and carriage returns, survive a later ``edit``."""
        try:
            return read_whole(self.main_cf).decode("utf-8", "surrogateescape")
        except OSError as error:
            text = f"cannot be read: {error.strerror}"
            remedy = master_cf_file.REMEDIES.get(
                error.errno or 0, "install Postfix, or name its directory with --postfix-dir"
            )
            problem = Problem(Origin(str(self.main_cf)), text, remedy, is_missing=True)
            raise MissingInputError([problem]) from None

    def read_master_cf(self) -> str:
        """Return the text of master.cf, without the lines of a drain (``drained``)."""
        return master_cf_file.read(self.master_cf)

    def edit_services(self, *settings: str) -> None:
        """Set fields of master.cf, in the syntax of ``postconf -F``: ``*/*/chroot = n``."""
        self._run("postconf", "-F", *settings)

    def edit_master_cf(
        self,
        changes: Mapping[str, master_cf.Service | None],
        off: Callable[[str], str] = str,
        on: Callable[[str], str] = str,
    ) -> None:
        """Change managed services, or remove them; mode and owner of master.cf stay the same.

        ``off`` removes the overlay from the text before the change, and ``on`` adds it after (``plan/own.py``).
        """
        master_cf_file.edit(self.master_cf, lambda text: on(master_cf.edit(off(text), changes)))

    def require(self, program: str) -> None:
        """Raise ``PostfixError`` unless a program exists, so that we start nothing that we cannot complete."""
        self._program(program)

    def edit(self, changes: dict[str, str | None]) -> None:
        """Set parameters, or remove those whose value is ``None``, in one step."""
        if changes:
            main_cf_file.edit(self.main_cf, changes)

    def master_pid(self, parameters: Mapping[str, str] | None = None) -> int | None:
        """Return the process ID of the master daemon of this instance; ``None`` if it does not run.

        ``parameters`` are those of main.cf, if the caller has read them.
        """
        try:
            number = int((self.queue_directory(parameters) / "pid/master.pid").read_text("ascii"))
        except (OSError, ValueError):
            return None
        return number if command(number) == "master" and self._is_ours(number) else None

    def queue_directory(self, parameters: Mapping[str, str] | None = None) -> Path:
        """Return the queue directory; ``parameters`` as for ``master_pid``."""
        parameters = main_cf.values(self.read_main_cf()) if parameters is None else parameters
        return Path(parameters.get("queue_directory") or QUEUE_DIRECTORY)

    def _is_ours(self, number: int) -> bool:
        """Return True if the process uses our directory: postfix(1) sets ``MAIL_CONFIG`` for its programs.

        A process that has ended has no environment, but keeps its ID and name until its parent waits for it, which process
        1 of a container often never does.
        """
        try:
            environ = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
        except PermissionError:
            return True
        except OSError:
            return False
        if environ == [b""]:
            return False
        told = [os.fsdecode(item[12:]) for item in environ if item.startswith(b"MAIL_CONFIG=")]
        return Path(told[0] if told else "/etc/postfix").resolve() == self.directory.resolve()

    def reload(self, master: int, *, is_awaited: Callable[[str], bool] | None = None) -> frozenset[str]:
        """Reload the running Postfix, and wait until no previous process accepts mail.

        Return the services of smtp(8) for which previous processes still deliver.

        ``is_awaited`` returns True for services of smtp(8) whose processes we also wait for, for 2 s on a busy server
        (seen). After a delivery, a process may check its socket before it notices that it should end, and take one more
        message, with the logins that it read at its start (seen, 0.8 s and three reloads later). Deliveries may take long,
        so after ``RELOAD_TIMEOUT`` seconds we stop waiting. A process that starts later reads the present files.

        Last, we wake a queue manager: the previous one may have consumed the wake-up from master(8) for the next one, and a
        message, which would then wait for up to 300 s (seen, one message in 1,300).
        """
        before = children(master)
        self._run("postfix", "reload")
        deadline = time.monotonic() + RELOAD_TIMEOUT
        while any(takes_mail(number, is_awaited) for number in before) and time.monotonic() < deadline:
            time.sleep(_RELOAD_INTERVAL)
        time.sleep(_RELOAD_GRACE)
        # This only asks for a scan of the incoming queue, which costs nothing; if it fails, mail goes on as before.
        with suppress(PostfixError):
            self._run("postkick", "public", "qmgr", "I")
        return frozenset(service(number) for number in before if command(number) == "smtp")

    def flush(self) -> None:
        """Ask Postfix to try all waiting messages now."""
        self._run("postqueue", "-f")

    def expanded(self, *names: str) -> dict[str, str]:
        """Return parameters (all if none is named) with Postfix's defaults, and with each ``$name`` expanded.

        Waits up to 2 s if main.cf was just written, as every Postfix program does.
        """
        return _settings(self._ask("postconf", "-x", *names)[0])

    def parameters(self) -> dict[str, str]:
        """Return all parameters, from main.cf or by default, with no ``$name`` expanded."""
        return _settings(self._ask("postconf")[0])

    def defaults(self, *names: str) -> dict[str, str]:
        """Return the defaults of parameters, with no ``$name`` expanded."""
        return _settings(self._ask("postconf", "-d", *names)[0])

    def lookup(self, table: str, keys: Sequence[str]) -> dict[str, str]:
        """Look up keys in a lookup table (``type:name``) with one process; the table's type decides about letter case.

        Raises ``PostfixError`` if the table cannot be read, or has a key twice: postmap returns the first of two values, but
        the daemons refuse the whole table. ``proxy:`` is dropped if Postfix does not run: postmap would wait for it. A table
        that asks a server counts as unreadable if there is no answer after ``SERVER_TIMEOUT`` seconds.
        """
        if table.startswith("proxy:") and self.master_pid() is None:
            table = table.removeprefix("proxy:")
        _require_files(table)
        feed = "".join(f"{key}\n" for key in keys).encode("utf-8", "surrogateescape")
        timeout = SERVER_TIMEOUT if main_cf.asks_server(table) else None
        said, warned = self._ask("postmap", "-q", "-", table, feed=feed, none=_NOT_FOUND, timeout=timeout)
        if _TWICE in warned:
            text = "a lookup key is in the table twice, so Postfix refuses the whole table and defers all mail"
            raise PostfixError(text, "remove one of the two lines", program="postmap")
        # A password may contain characters that splitlines takes for a line end.
        return dict(line.split("\t", 1) for line in said.split("\n") if "\t" in line)

    def keys(self, table: str) -> list[str]:
        """Return the keys of a lookup table in a file (``type:name``), as its type stores them. Raises ``PostfixError``."""
        return [key for key, _ in self.entries(table)]

    def entries(self, table: str) -> list[tuple[str, str]]:
        """Return keys and values of a lookup table in a file (``type:name``). Raises ``PostfixError``."""
        _require_files(table)
        if table.startswith("cdb:"):
            from dms_relay.postfix import cdb_file  # noqa: PLC0415 -- only where somebody has such a table

            return cdb_file.entries(Path(f"{table.removeprefix('cdb:')}.cdb"))
        said, _ = self._ask("postmap", "-s", table)
        return [(key, value) for key, tab, value in (line.partition("\t") for line in said.split("\n")) if tab]

    def table_types(self) -> list[str]:
        """Return the types of lookup tables that this Postfix has."""
        return self._ask("postconf", "-m")[0].split()

    def build(self, table: str) -> None:
        """Build the index of a table, ``type:path``, beside its text. Mistakes in the text are not shown.

        With ``-w``, postmap does not look for duplicate keys, which our tables do not have: a ``cdb:`` of a million keys
        then takes 0.3 s of CPU time, otherwise 2 s (measured, 3.7.11).
        """
        self._run("postmap", "-w", table)

    def count(self, table: str) -> int:
        """Return the number of keys in an index whose type can be listed."""
        return self._run("postmap", "-s", table).stdout.count(b"\n")

    def _program(self, name: str) -> str:
        from dms_relay.postfix.child import which  # noqa: PLC0415 -- see _run

        path = which(name)
        if path is None:
            remedy = "install Postfix, or add its directory, often /usr/sbin, to PATH"
            raise PostfixError(f"{name} is not found", remedy, errno=ENOENT, program=name)
        return path

    def _ask(
        self, name: str, *arguments: str, feed: bytes = b"", none: int = 0, timeout: float | None = None
    ) -> tuple[str, str]:
        """Run a program that only reads, and return its standard output and standard error.

        ``none`` is an exit code that means, if there is no error on standard error, that nothing was found.
        """
        done = self._run(name, *arguments, feed=feed, fine=none, timeout=timeout)
        warned = done.stderr.decode("utf-8", "replace")
        if done.returncode and any(word in warned for word in (" fatal: ", " error: ")):
            raise _failed(name, arguments, done)
        return done.stdout.decode("utf-8", "surrogateescape"), warned

    def _run(self, name: str, *arguments: str, feed: bytes = b"", fine: int = 0, timeout: float | None = None) -> Ended:
        """Run a program, without our settings in its environment: it does not need them.

        A program that writes inherits the lock (``files.lock``): if we are killed while ``postconf`` runs, the next run
        waits for it, and makes no plan from a main.cf that is about to change. ``fine`` is an exit code that is no failure.
        """
        from dms_relay.postfix import child  # noqa: PLC0415 -- a run that has nothing to do needs no program

        command = [self._program(name), "-c", str(self.directory), *arguments]
        environ = {key: os.environ[key] for key in ("PATH", "TZ") if key in os.environ}
        limit = PROGRAM_TIMEOUT if timeout is None else timeout
        try:
            inherits = name in _WRITING
            done = child.run(command, environ, feed, limit, inherits=inherits, meanwhile=self._meanwhile)
        except (OSError, child.TimeoutExpired) as error:
            called = _called(name, arguments)
            reason, remedy = child.why_not_run(error, limit)
            text, errno = f"{called} cannot be run: {reason}", getattr(error, "errno", None)
            raise PostfixError(text, remedy, errno=errno, program=name) from None
        if done.returncode not in {0, fine}:
            raise _failed(name, arguments, done)
        return done


def _require_files(table: str) -> None:
    from dms_relay.postfix.table_files import require_files  # noqa: PLC0415 -- a boot looks nothing up

    require_files(table)


def _called(name: str, arguments: Sequence[str]) -> str:
    """Return what a message shows of a call: later words can be values, such as passwords; after ``-w`` comes a table."""
    return " ".join((name, *arguments[: 2 if arguments[:1] == ("-w",) else 1]))


def _failed(name: str, arguments: Sequence[str], done: Ended) -> PostfixError:
    reason = _reason(done.stderr.decode("utf-8", "replace"))
    # A program reports its system error only in words.
    errno = next((number for number in (EACCES, EBUSY) if os.strerror(number) in reason), None)
    called = _called(name, arguments)
    text = f"{called} failed with exit code {done.returncode}: {reason or 'without a message'}"
    remedy = "mount the directory, not the single file" if errno == EBUSY else ""
    return PostfixError(text, remedy, errno=errno, program=name, program_code=done.returncode, reason=reason)


def _settings(said: str) -> dict[str, str]:
    """Read the lines ``name = value`` that postconf prints."""
    pairs = (line.partition(" =") for line in said.split("\n"))
    return {name: value.strip(" \t") for name, equals, value in pairs if equals}


def _reason(said: str) -> str:
    """Return a program's message without values: a warning about main.cf shows the whole setting, login included."""
    lines = (line.strip() for line in said.splitlines() if " warning: " not in line)
    return _QUOTED.sub('"…"', "; ".join(line for line in lines if line))
