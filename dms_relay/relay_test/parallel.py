"""Runs a function on many items in parallel threads, and returns the results in the order of the items.

The threads are daemons, so that the process ends at once on Ctrl-C.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Maximum threads. Some services treat more connections as an attack, and each thread costs a stack.
PARALLEL_MAX = 50

Item = TypeVar("Item")
Given = TypeVar("Given")


def run_all(
    function: Callable[[Item], Given],
    items: Sequence[Item],
    progress: Callable[[int], None] = lambda _: None,
) -> list[Given]:
    """Call ``function`` on each item, and ``progress`` with the number of finished ones. Exceptions are raised here."""
    todo: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, Given | None, BaseException | None]] = SimpleQueue()
    for number in range(len(items)):
        todo.put(number)

    def work() -> None:
        while True:
            try:
                number = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((number, function(items[number]), None))
            except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
                done.put((number, None, error))

    for _ in range(min(len(items), PARALLEL_MAX)):
        Thread(target=work, daemon=True).start()
    return _collected(done, len(items), progress)


def _collected(
    done: SimpleQueue[tuple[int, Given | None, BaseException | None]],
    count: int,
    progress: Callable[[int], None],
) -> list[Given]:
    results: dict[int, Given] = {}
    while len(results) < count:
        number, result, error = done.get()
        if error is not None:
            raise error
        results[number] = result  # type: ignore[assignment]  # without an error, there is a result
        progress(len(results))
    return [results[number] for number in range(count)]
