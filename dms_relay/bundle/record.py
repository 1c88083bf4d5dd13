"""Records what a boot loads and compiles; runs as a script, in a separate interpreter, when a bundle is written.

It imports modules, stage by stage, and records for each stage what a bundle can prepare: modules in the order in which they
finish, texts from which classes are made (``dataclasses``, ``collections.namedtuple``, ``typing``, ``values``), and regular
expressions in the form of ``_sre``. It imports nothing else itself: its own imports would be missing in the record. As in a
boot, some modules wait until they are used.

Known limits: texts and expressions that are made after the import are compiled by the boot.
"""

import sys
from _frozen_importlib_external import SourceFileLoader  # importlib.machinery would import other modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

    from dms_relay.bundle.finder import Pattern

    #: Names of modules, texts with the function that compiles them, expressions.
    Stage = tuple[list[str], dict[str, str], dict[tuple[str | bytes, int], Pattern]]


class Recorder:
    """Records what is loaded from source files and compiled, from ``install`` on. The process is useless afterwards."""

    def __init__(self, finder: "dict[str, Any]", waiting: "frozenset[str]") -> None:
        """Store what the module ``finder`` defines, and the names of the modules that wait."""
        self._finder = finder
        self._waiting = waiting
        self._names: list[str] = []
        self._texts: dict[str, str] = {}
        self._patterns: dict[tuple[str | bytes, int], Pattern] = {}

    def install(self) -> None:
        """Record from now on."""
        recorder = self

        def exec_module(loader: SourceFileLoader, module: "ModuleType") -> None:
            def run() -> None:
                recorder.before(module)
                recorder._finder["execute"](name, loader.get_code(name), module.__dict__)
                recorder.after(module)

            name = module.__name__
            if name in recorder._waiting:
                recorder._finder["wait"](module, {}, run)
            else:
                run()

        SourceFileLoader.exec_module = exec_module  # type: ignore[method-assign, assignment]

    def before(self, module: "ModuleType") -> None:
        """Record what a module will compile."""
        if mode := self._finder["COMPILERS"].get(module.__name__):
            run: Callable[..., object] = {"exec": exec, "eval": eval, "compile": compile}[mode]  # type: ignore[assignment]

            def compiled(text: str, *given: "Any") -> object:  # noqa: ANN401 -- as the function that it calls
                self._texts[text] = given[-1] if mode == "compile" else mode
                return run(text, *given)

            module.__dict__[mode] = compiled

    def after(self, module: "ModuleType") -> None:
        """Record that a module has finished."""
        self._names.append(module.__name__)
        if module.__name__ == "re._compiler":
            self._watch_patterns(module)
        if module.__name__ == "dms_relay.model.values":
            self._watch_values(module)

    def _watch_patterns(self, module: "Any") -> None:  # noqa: ANN401 -- its functions are replaced
        sre, compile_ = module._sre, module.compile  # noqa: SLF001 -- Python's own compiler of expressions
        seen: list[Pattern] = []

        class Sre:
            def __getattr__(self, name: str) -> object:
                return getattr(sre, name)

            def compile(self, pattern: "str | bytes", flags: int, code: "list[int]", *groups: "Any") -> object:  # noqa: ANN401
                # Some of these are enum members, which marshal does not accept.
                seen.append((pattern, int(flags), [int(number) for number in code], *groups))
                return sre.compile(pattern, flags, code, *groups)

        def compiled(pattern: object, flags: int = 0) -> object:
            made = compile_(pattern, flags)
            if isinstance(pattern, str | bytes):
                self._patterns[pattern, int(flags)] = seen[-1]
            return made

        module._sre, module.compile = Sre(), compiled  # noqa: SLF001

    def _watch_values(self, module: "Any") -> None:  # noqa: ANN401 -- its function is replaced
        init: Callable[..., object] = module._init  # noqa: SLF001 -- it is compiled with the first value

        def noted(cls: type, fields: "dict[str, Any]") -> object:
            self._texts[module.init_text(fields)] = "exec"
            return init(cls, fields)

        module._init = noted  # noqa: SLF001

    def take_after(self, names: "Sequence[str]") -> "Stage":
        """Import some modules, return what was recorded, and start again."""
        for name in names:
            __import__(name)
        noted = self._names, self._texts, self._patterns
        self._names, self._texts, self._patterns = [], {}, {}
        return noted


def main() -> None:
    """Read the stages from standard input, and write the record to standard output, both in marshal's format."""
    import marshal  # noqa: PLC0415

    paths, finder, waiting, stages = marshal.loads(sys.stdin.buffer.read())  # noqa: S302 -- from our parent process
    sys.path[:0] = paths
    exec(finder, finder := {"__name__": "dms_relay.bundle.finder"})  # noqa: S102 -- the package would come with an import
    recorder = Recorder(finder, waiting)
    recorder.install()
    sys.stdout.buffer.write(marshal.dumps([recorder.take_after(names) for names in stages]))


if __name__ == "__main__":
    main()
