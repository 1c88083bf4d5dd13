"""Makes a running Postfix refuse mail, hand over what waits to another server, and take mail again.

Writes master.cf under the lock of ``apply``, and reloads Postfix, which does not end current sessions and deliveries. If
killed after any step, the next drain or ``take_mail`` completes the work: the marker comes first and goes last. Raises
``PostfixError``, ``WriteError`` or ``BusyError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay import files
from dms_relay.apply import LOCK_TIMEOUT
from dms_relay.drain.marker import is_draining, path_of, set_marker
from dms_relay.errors import PostfixError
from dms_relay.postfix import master_cf_file
from dms_relay.postfix.drained import HAND_OVER, NOT_DRAINED, Drained
from dms_relay.postfix.programs import Postfix

if TYPE_CHECKING:
    from pathlib import Path

    from dms_relay.log import Log

_NO_SERVICE = "master.cf has no service rewrite, so nothing can be handed over"
_STAYS = f"the service {HAND_OVER} stays in master.cf: it still delivers -- run dms-relay drain --cancel again later"

_NOT_RELOADED = "Postfix is not drained, but it may refuse mail by now -- run dms-relay drain --cancel"


class Switch:
    """Drains one Postfix, and takes that back."""

    def __init__(self, postfix: Postfix, log: Log, lock_timeout: float = LOCK_TIMEOUT) -> None:
        """Set the Postfix, and the seconds to wait for a running ``apply``."""
        self.postfix = postfix
        self.log = log
        self.lock_timeout = lock_timeout

    def refuse_mail(self) -> None:
        """Make Postfix refuse new sessions. If an earlier drain handed mail over, end that."""
        set_marker(self.postfix)
        with files.lock(self.postfix.directory, self.lock_timeout):
            before = master_cf_file.read_drained(self.postfix.master_cf)
            # The service of an earlier drain may still deliver.
            self._set(Drained(refuses=True, nexthop=before.nexthop))
            self._put_in_force()
        self.log.info("Postfix takes no new mail")

    def hand_over(self, nexthop: str) -> None:
        """Send all mail that leaves this machine to ``nexthop``."""
        with files.lock(self.postfix.directory, self.lock_timeout):
            self._set(Drained(refuses=True, nexthop=nexthop, is_route=True))
            if not master_cf_file.read_drained(self.postfix.master_cf).is_route:
                raise PostfixError(_NO_SERVICE, "put Postfix's own master.cf back")
            self._put_in_force()
        self.log.info("mail is handed over", nexthop=nexthop)

    def take_mail(self) -> bool:
        """Make Postfix take mail again and route it as usual; return False if it does so already."""
        with files.lock(self.postfix.directory, self.lock_timeout):
            before = master_cf_file.read_drained(self.postfix.master_cf)
            was_drained = path_of(self.postfix).exists() or before != NOT_DRAINED
            if was_drained:
                # Even if master.cf has no trace of a drain: a run killed at that point has not reloaded Postfix.
                self._set(Drained(nexthop=before.nexthop))
                busy = self._reload()
                self._remove_service(before, busy)
            files.remove(path_of(self.postfix))
        return was_drained

    def _remove_service(self, before: Drained, busy: frozenset[str]) -> None:
        """Remove the service that hands over, unless it delivers: master(8) would end that, and mail would be sent twice."""
        if HAND_OVER in busy:
            self.log.warn(_STAYS)  # noqa: G010 -- Log is ours
        elif before.nexthop:
            self._set(NOT_DRAINED)
            self._reload()

    def _set(self, wanted: Drained) -> None:
        master_cf_file.set_drained(self.postfix.master_cf, wanted)

    def _put_in_force(self) -> None:
        """Reload Postfix, or warn that master.cf comes into force only with the next reload."""
        try:
            self._reload()
        except PostfixError:
            self.log.warn(_NOT_RELOADED)  # noqa: G010 -- Log is ours
            raise

    def _reload(self) -> frozenset[str]:
        """Reload Postfix if it runs at this moment; return the services of smtp(8) that still deliver."""
        while (master := self.postfix.master_pid()) is not None:
            try:
                return self.postfix.reload(master, is_awaited=HAND_OVER.__eq__)
            except PostfixError:
                if self.postfix.master_pid() == master:
                    raise
        return frozenset()


def forget(directory: Path) -> None:
    """Take back a drain whose Postfix has ended: none runs, or it was started since.

    The caller holds the lock, has seen the marker (``drained.MARKER``), and reloads a Postfix that runs.
    """
    postfix = Postfix(directory)
    if is_draining(postfix) and postfix.master_pid() is not None:
        return
    master_cf_file.set_drained(postfix.master_cf, NOT_DRAINED)
    files.remove(path_of(postfix))
