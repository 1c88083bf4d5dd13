"""Our steps before Postfix starts, in one process, whose imports are paid once: ``boot [--start] STEP...``.

A step is named as the hook is that stands for it, after the number: ``/docker-entrypoint.d/10-postfix`` is ``postfix``.
``docker-entrypoint.sh`` gives all hooks of ours that follow each other; with a hook of somebody else's in between there are
two processes. Without a name the step is ``postfix``, which is what this program was before it had others.

    postfix       sets Postfix up to send and nothing else (``settings``)
    relay         ``dms-relay apply``
    user-files    applies the operator's postfix-main.cf and postfix-master.cf (``user_files``); not right behind ``relay``,
                  which does so as well
    quick-start   has Postfix skip its own checks where they would find nothing (``quick_start``); last, and it never fails

The first step that fails is the last one: its exit code is ours. With ``--start`` the last line on standard error then names
its hook, in the entrypoint's words; a person who runs a hook by hand needs no such line.

To add a step: a function here, and a file in ``entrypoint.d``, which an operator can take out, or put something before.
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
    from dms_relay.container import settings  # noqa: PLC0415 -- only what is asked for is loaded

    return settings.run(environ, writer)


def _relay(environ: Mapping[str, str], writer: Writer | None) -> int:
    from dms_relay.cli import main as command  # noqa: PLC0415

    code = command(["apply"], environ, writer=writer)
    # All is applied: that nobody can read it, on a full disk say, is no failure of the start.
    return os.EX_OK if code == os.EX_IOERR else code


def _user_files(environ: Mapping[str, str], writer: Writer | None) -> int:
    from dms_relay.container import user_files  # noqa: PLC0415

    return user_files.run(environ, writer)


def _quick_start(environ: Mapping[str, str], _writer: Writer | None) -> int:
    from dms_relay.container import quick_start  # noqa: PLC0415

    return quick_start.run(environ)


#: What our image has, and no machine that only runs our tests.
HOOKS = "/docker-entrypoint.d"
STEPS: dict[str, Step] = {
    "postfix": _postfix,
    "relay": _relay,
    "user-files": _user_files,
    "quick-start": _quick_start,
}
#: Nothing is left to do for the second of these right behind the first.
_DONE = ["relay", "user-files"]


def main(argv: Sequence[str], environ: Mapping[str, str], writer: Writer | None = None) -> int:
    """Take the steps that the arguments name, and return the exit code of the last one taken."""
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
        from dms_relay.container.empty_mounts import close  # noqa: PLC0415 -- a hook that is run by hand comes too late

        close()
    for previous, hook in zip(["", *hooks], hooks, strict=False):
        if [_name(previous), _name(hook)] == _DONE:
            continue
        code = _take(STEPS[_name(hook)], environ, writer)
        if code:
            if writer:
                writer.close()  # what it was given comes before the line that follows
            if is_start:
                _name_failed(hook, code)
            return code
    return os.EX_OK


def _name(hook: str) -> str:
    """Return the step that a hook is: ``/docker-entrypoint.d/20-relay`` is ``relay``."""
    name = hook.rpartition("/")[2]
    number, _, rest = name.partition("-")
    return rest if number.isdigit() else name


def _take(step: Step, environ: Mapping[str, str], writer: Writer | None) -> int:
    """Take a step. Report a bug in dms-relay with its place, and its own exit code."""
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
    """Say what was said: a program that we start next has the same streams. A lost line is no failure of the start."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()


def run(writer: Writer | None = None) -> None:
    """Be the program, and end without taking the interpreter down piece by piece, as ``dms_relay.cli.run`` does."""
    gc.disable()
    code = main(sys.argv[1:], os.environ, writer)
    if writer:
        writer.close()
    _flush()
    os._exit(code)
