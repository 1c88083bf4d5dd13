"""Runs a function without garbage collection.

Reading and merging make very many values, which all stay and never refer to each other in a circle. The collector would look
at them again and again without finding anything: with 100,000 logins, that takes a quarter to two fifths of the time.
"""

from __future__ import annotations

import gc
from functools import wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")


def uncollected(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that does the same with the collector off, and turns it on again if it was on.

    The collector is that of the whole process. If two threads run such functions at the same time, the first one to finish
    turns it on, so the other is only slower. If another thread turns it off meanwhile, it is on afterwards all the same; and
    a process that another thread forks meanwhile has it off.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        was_on = gc.isenabled()
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            if was_on:
                gc.enable()

    return run
