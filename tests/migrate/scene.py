"""A configuration to import, made from a file of ``cases/``: what is there before, and what is there after it.

A case has ``about``, ``from``, and what there is to read: ``files`` of Postfix's directory, ``config`` of the configuration
directory, ``env`` as an env file, ``services`` of master.cf. ``index`` is what postmap is run on; ``later`` and ``remove``
are what happens to files after that, ``appears`` what is there after the import alone. ``mail`` has senders and recipients,
each with the way that Postfix takes before and after; with ``broken`` it takes none before. ``expected`` is what is written
and said. ``HERE`` stands for Postfix's directory, ``CONFIG`` for the other, ``OUTPUT`` for what was written. What
is in another encoding is ``!!binary``.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dms_relay.explain.report import route_document
from dms_relay.explain.views import view_now
from dms_relay.postfix.programs import Postfix
from tests.support.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dms_relay.explain.document import HopDocument, RouteDocument
    from tests.support.sandbox import Result

CASES = Path(__file__).with_name("cases")
MASTER_CF = """\
smtp inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
smtp unix - - n - - smtp
relay unix - - n - - smtp
  -o syslog_name=postfix/$service_name
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
lmtp unix - - n - - lmtp
"""
BASE = "compatibility_level = 3.6\nmyhostname = mail.here.test\nmydestination = localhost\n"
#: What our own image has before any relay (docs/image.md).
OWN_IMAGE = (
    "compatibility_level = 3.6\nmyhostname = mail.here.test\nmydestination =\nsmtp_tls_security_level = may\n"
    "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\nsmtp_host_lookup = dns, native\n"
)

Document = dict[str, Any]


def case(name: str) -> Document:
    """Return a case."""
    found: Document = yaml.safe_load((CASES / f"{name}.yaml").read_text("utf-8"))
    return found


def names() -> list[str]:
    """Return the names of all cases."""
    return sorted(path.stem for path in CASES.glob("*.yaml"))


class Scene:
    """One case on the disk; ``before`` is the machine as it is given."""

    def __init__(self, root: Path, document: Document) -> None:
        """Write everything that is there before the import."""
        self.root = root
        self.document = document
        self.before = Sandbox(root / "before")
        self.output = root / "output"
        files = document.get("files", {})
        self.before.write_main_cf(BASE + self._text(files.get("main.cf", "")))
        self._write(self.before.postfix_dir, {"master.cf": MASTER_CF + document.get("services", "")})
        self._write(self.before.postfix_dir, {name: text for name, text in files.items() if name != "main.cf"})
        self._write(self.before.config_dir, document.get("config", {}))
        if "env" in document:
            self._write(root, {"variables.env": document["env"]})
        self._index()

    def _text(self, text: str) -> str:
        text = text.replace("HERE", str(self.before.postfix_dir))
        return text.replace("CONFIG", str(self.before.config_dir))

    def _write(self, directory: Path, texts: Mapping[str, str | bytes]) -> None:
        for name, text in texts.items():
            path = directory / name
            path.write_bytes(text if isinstance(text, bytes) else self._text(text).encode())
            then = time.time() - 3600
            os.utime(path, (then, then))

    def _index(self) -> None:
        here = self.before.postfix_dir
        for table in self.document.get("index", ()):
            kind, _, name = table.partition(":")
            subprocess.run(["postmap", "-c", here, f"{kind}:{here / name}"], check=True)
        self._write(here, self.document.get("later", {}))
        for name in self.document.get("remove", ()):
            (here / name).unlink()
        then = time.time() - 1800
        for path in here.iterdir():
            os.utime(path, (then, then))

    def run_import(self, *words: str) -> Result:
        """Run ``import`` as an operator would."""
        env = ["--env-file", str(self.root / "variables.env")] if "env" in self.document else []
        return self.before.run("import", *env, *words)

    def after(self) -> Sandbox:
        """Return the machine with what was written: applied to the same main.cf, or in our own image."""
        self._write(self.before.config_dir, self.document.get("appears", {}))
        after = Sandbox(self.root / "after")
        after.config_dir = self.output
        if self.document["from"] in {"main.cf", "relay.sh"}:
            for path in self.before.postfix_dir.iterdir():
                os.link(path, after.postfix_dir / path.name) if path.name != "main.cf" else None
            after.write_main_cf(self.before.main_cf.read_text("utf-8"))
        else:
            after.write_main_cf(OWN_IMAGE)
            self._write(after.postfix_dir, {"master.cf": MASTER_CF})
        result = after.run("apply")
        assert result.code == 0, result.err
        own = self.output / "postfix-main.cf"
        if own.exists():  # as docker-mailserver's start does, and a hook of our own image
            after.write_main_cf(after.main_cf.read_text("utf-8") + own.read_text("utf-8"))
        return after

    def shown(self, text: str) -> str:
        """Return a text without the names of directories."""
        for path, name in (
            (self.before.postfix_dir, "HERE"),
            (self.before.config_dir, "CONFIG"),
            (self.output, "OUTPUT"),
        ):
            text = text.replace(str(path), name)
        return text


class Explained:
    """What ``dms-relay explain`` tells of a machine, which is read once."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Read it."""
        self._view = view_now(Postfix(sandbox.postfix_dir))

    def way(self, sender: str, recipient: str) -> str:
        """Return the way of a message, in short."""
        return short(route_document(self._view, None, "" if sender == "<>" else sender, recipient))


def short(document: RouteDocument) -> str:
    """Return ``host:port login level`` of each hop."""
    if document["failure"]:
        return f"stays: {document['failure']}"
    if document["is_direct"] and document["hops"]:
        hop = document["hops"][0]
        login = f"{hop['login']['username']} " if hop["login"] else ""
        return f"direct {login}{hop['tls']['level']}"
    return ", ".join(map(_hop, document["hops"])) or f"{document['transport']}:{document['nexthop']}"


def _hop(hop: HopDocument) -> str:
    kind = "mx " if hop["mail_exchangers"] else ""
    mode = " implicit" if hop["tls"]["mode"] == "implicit" else ""
    port = {"submission": "587", "smtps": "465", "smtp": "25"}.get(hop["port"], hop["port"])
    login = hop["login"]["username"] if hop["login"] else "-"
    return f"{kind}{hop['host'].lower()}:{port} {login} {hop['tls']['level']}{mode}"
