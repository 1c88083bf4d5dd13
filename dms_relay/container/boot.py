"""Our steps before Postfix starts, in one process, to load modules only once: ``boot [--start] STEP...``.

A step has the name of its hook, without the number: ``/docker-entrypoint.d/10-postfix`` is ``postfix``.
``docker-entrypoint.sh`` passes all our hooks that follow each other; a foreign hook in between makes it two processes.
Without a name the step is ``postfix``, the only one that early versions had.

    postfix       sets Postfix up to send only (``settings``)
    relay         ``dms-relay apply``
    user-files    applies the operator's postfix-main.cf and postfix-master.cf (``user_files``); skipped right after
                  ``relay``, which does the same
    quick-start   makes Postfix skip its own checks if they would find nothing (``quick_start``); last, and never fails

Stops at the first step that fails, with its exit code. With ``--start`` the last line on standard error then names
its hook, in the entrypoint's words; a person who runs a hook by hand needs no such line.

To add a step: a function here, and a file in ``entrypoint.d``, so that an operator can remove it or run a hook before it.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dms_relay.log_lines import Writer

    Step = Callable[[Mapping[str, str], Writer | None], int]


def _postfix(environ: Mapping[str, str], writer: Writer | None) -> int:
    from dms_relay.container import settings  # noqa: PLC0415 -- loaded only if asked for

    return settings.run(environ, writer)


def _relay(environ: Mapping[str, str], writer: Writer | None) -> int:
    from dms_relay.cli import main as command  # noqa: PLC0415

    code = command(["apply"], environ, writer=writer)
    # All is applied: a lost log line (on a full disk, say) must not stop the start.
    return os.EX_OK if code == os.EX_IOERR else code


def _user_files(environ: Mapping[str, str], writer: Writer | None) -> int:
    from dms_relay.container import user_files  # noqa: PLC0415

    return user_files.run(environ, writer)


def _quick_start(environ: Mapping[str, str], _writer: Writer | None) -> int:
    from dms_relay.container import quick_start  # noqa: PLC0415

    return quick_start.run(environ)


#: Exists in our image, and not on a machine that only runs our tests.
HOOKS = "/docker-entrypoint.d"
STEPS: dict[str, Step] = {
    "postfix": _postfix,
    "relay": _relay,
    "user-files": _user_files,
    "quick-start": _quick_start,
}
#: Right after the first of these, the second has nothing left to do.
_DONE = ["relay", "user-files"]


def main(argv: Sequence[str], environ: Mapping[str, str], writer: Writer | None = None) -> int:
    """Run the steps named in the arguments, and return the exit code of the last one run."""
    is_start = argv[:1] == ["--start"]
    hooks = list(argv[1:] if is_start else argv) or ["postfix"]
    if unknown := [hook for hook in hooks if _name(hook) not in STEPS]:
        from dms_relay.log import printable  # noqa: PLC0415 -- only then

        names = ", ".join(STEPS)
        sys.stderr.write(
            f"boot: {printable(unknown[0])}: there is no such step -- name the file after its number one of {names}\n"
        )
        return 2
    if is_start and os.path.isdir(HOOKS):  # noqa: PTH112 -- pathlib costs more
        from dms_relay.container.empty_mounts import close  # noqa: PLC0415 -- too late in a hook run by hand

        close()
    for previous, hook in zip(["", *hooks], hooks, strict=False):
        if [_name(previous), _name(hook)] == _DONE:
            continue
        code = _take(STEPS[_name(hook)], environ, writer)
        if code:
            if writer:
                writer.close()  # writes its lines before the one that follows
            if is_start:
                _name_failed(hook, code)
            return code
    return os.EX_OK


def _name(hook: str) -> str:
    """Return the step of a hook: ``/docker-entrypoint.d/20-relay`` is ``relay``."""
    name = hook.rpartition("/")[2]
    number, _, rest = name.partition("-")
    return rest if number.isdigit() else name


def _take(step: Step, environ: Mapping[str, str], writer: Writer | None) -> int:
    """Run a step. Report a bug in dms-relay with its place in the code, and an exit code of its own."""
    try:
        return step(environ, writer)
    except Exception:  # noqa: BLE001 -- see above
        from dms_relay.log import write_bug  # noqa: PLC0415 -- only then

        if writer:
            writer.close()
        write_bug()
        return os.EX_SOFTWARE
    finally:
        _flush()


def _name_failed(hook: str, code: int) -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(
            f"docker-entrypoint: error: the hook {hook} failed with exit code {code}, so Postfix is not started\n"
        )


def _flush() -> None:
    """Flush: a program that we start next has the same streams. A lost line is no failure of the start."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()


def run(writer: Writer | None = None) -> None:
    """Run as the program, and exit without tearing the interpreter down, as ``dms_relay.cli.run`` does."""
    gc.disable()
    code = main(sys.argv[1:], os.environ, writer)
    if writer:
        writer.close()
    _flush()
    os._exit(code)
