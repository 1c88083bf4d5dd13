"""One verb, one module, one function ``run(arguments, context) -> int`` that returns an exit code."""

from __future__ import annotations

from dms_relay.log import printable
from dms_relay.model.values import field, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from dms_relay.log import Log
    from dms_relay.model import Paths


@frozen
class Context:
    """What every command gets: the paths, the environment, and the streams for data and for log lines.

    ``lost`` says why data could not be written: the command does its work all the same, and its exit code shows the loss.
    """

    paths: Paths
    environ: Mapping[str, str]
    log: Log
    stdout: TextIO
    lost: list[Exception] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        """Write data, one line each, safe for a terminal; tabs stay, since lookup tables contain them."""
        for line in lines:
            self.say_text("\t".join(map(printable, line.split("\t"))))

    def say_json(self, document: object) -> None:
        """Write a document with its texts unchanged; JSON escapes what a terminal would obey or not show."""
        from json import dumps  # noqa: PLC0415 -- only for programs

        text = dumps(document, indent=2, ensure_ascii=False)
        self.say_text("\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n")))

    def say_text(self, text: str) -> None:
        """Write a text of our own, after all log lines; nothing if data was lost before."""
        self.log.finish()
        self._try(lambda: self.stdout.write(f"{text}\n"))

    def flush(self) -> None:
        """Write out all data before the exit code is decided."""
        self._try(self.stdout.flush)

    def _try(self, write: Callable[[], object]) -> None:
        try:
            if not self.lost:
                write()
        except (OSError, ValueError) as error:
            self.lost.append(error)


def _escaped(line: str) -> str:
    """Return a line of JSON with an escape for each unprintable character (RFC 8259, section 7)."""
    return "".join(sign if sign.isprintable() else _escape(sign) for sign in line)


def _escape(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    return "".join(f"\\u{unit}" for unit in units)
