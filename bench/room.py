"""A container without an engine: this machine's Postfix and programs, and private directories for all that a start writes.

``Room`` creates the directories of a new root directory, and runs a program there as process 1, in its own namespaces for
mounts, processes and the network (unshare(1)); all of it ends with that process. Needs root. Does not touch the machine's
own files and ports.

Known limits: the machine's own files are visible, except /tmp, /run and /opt.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

#: Directories of the machine's root that a room has for itself.
OWN = ("dev", "opt", "proc", "run", "sys", "tmp")
#: Directories that a room has in place of the machine's.
PLACES = ("etc/postfix", "var/spool/postfix", "var/lib/postfix")
#: Files of Postfix's configuration that belong to the package and not to the operator.
OF_THE_PACKAGE = ("dynamicmaps.cf", "dynamicmaps.cf.d", "makedefs.out", "postfix-files", "postfix-files.d")
MAIN_CF = (
    "compatibility_level = 3.6\nmyorigin = $myhostname\nalias_maps =\nalias_database =\nsmtp_tls_security_level = may\n"
)
#: The last step of docker/build-package.sh: the bundle, and the programs that use it.
BUNDLE = ("-I", "-m", "dms_relay.bundle", "dms-relay=dms_relay.cli:run", "boot=dms_relay.container.boot:run")
#: ioctl(2) of a network interface (linux/sockios.h, linux/if.h).
SIOCSIFFLAGS, IFF_UP_RUNNING = 0x8914, 0x41


class Room:
    """A root directory under construction."""

    def __init__(self, directory: Path) -> None:
        """Create it in ``directory``, which the user ``postfix`` can reach."""
        self.root = directory / "root"
        self.places = directory / "places"
        for path in Path("/").iterdir():
            if path.is_symlink():
                self._make(self.root).joinpath(path.name).symlink_to(path.readlink())
            elif path.is_dir():
                self._make(self.root / path.name)
        self._make(self.root / "opt/dms-relay")
        for place in PLACES:
            self._make(self.places / place)
        self._configure(self.places / "etc/postfix")

    @staticmethod
    def _make(path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        return path

    @staticmethod
    def _configure(config: Path) -> None:
        """Write Postfix's configuration of the package, with the changes of the Dockerfile."""
        for name in OF_THE_PACKAGE:
            if (path := Path("/etc/postfix", name)).exists():
                subprocess.run(["cp", "-a", str(path), str(config)], check=True)
        shutil.copy("/usr/share/postfix/master.cf.dist", config / "master.cf")
        (config / "main.cf").write_text(MAIN_CF)
        subprocess.run(["postconf", "-c", str(config), "-F", "*/*/chroot = n"], check=True)
        for path in (config / "main.cf", config / "master.cf"):
            os.utime(path, (0, 0))

    def add(self, source: Path, target: str, mode: int = 0o755) -> None:
        """Copy a file into the room."""
        path = self.root / target.lstrip("/")
        self._make(path.parent)
        shutil.copy(source, path)
        path.chmod(mode)

    def run(self, runtime: Path, *command: str) -> str:
        """Run a program as process 1, with ``runtime`` as /opt/dms-relay, and return its output."""
        namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        inside = [sys.executable, __file__, str(self.root), str(self.places), str(runtime), *command]
        return subprocess.run([*namespaces, *inside], check=True, stdout=subprocess.PIPE, text=True).stdout


def enter(root: Path, places: Path, runtime: Path, command: list[str]) -> None:
    """Run as process 1 of the room: mount everything, and exec the program."""
    for path in root.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name not in OWN and Path("/", path.name).is_dir():
            mount("--rbind", f"/{path.name}", str(path))
    mount("--rbind", "/dev", str(root / "dev"))
    mount("-t", "proc", "proc", str(root / "proc"))
    mount("--bind", str(runtime), str(root / "opt/dms-relay"))
    for place in PLACES:
        mount("--bind", str(places / place), str(root / place))
    (root / "tmp").chmod(0o1777)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP_RUNNING))
    os.chroot(root)
    os.chdir("/")
    subprocess.run(["chown", "postfix", "/var/lib/postfix"], check=True)
    subprocess.run(["postfix", "post-install", "create-missing"], check=True)
    # A launcher contains the path of its interpreter, which differs here.
    subprocess.run(["/opt/dms-relay/bin/python", *BUNDLE], check=True, stdout=subprocess.DEVNULL)
    os.execvp(command[0], command)  # noqa: S606 -- no shell on purpose


def mount(*arguments: str) -> None:
    """Mount; raises CalledProcessError."""
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    enter(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
