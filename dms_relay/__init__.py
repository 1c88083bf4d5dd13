"""Configures Postfix to send mail through relay services, from environment variables and a few files.

Each step can be used alone::

    from dms_relay import Paths, apply, find, merge, plan, read, render

    paths = Paths()
    config = merge(read(paths, os.environ))
    changes = plan(render(config, paths), find(paths))
    apply(changes, paths)

``read`` never raises an error for the content of an input; ``merge`` raises ``InputError`` with all problems of all inputs.
Only ``apply`` writes anything. All errors are subclasses of ``RelayError``.
"""

from __future__ import annotations

from dms_relay.apply import apply
from dms_relay.errors import (
    BusyError,
    InputError,
    MissingInputError,
    PostfixError,
    RelayError,
    UsageError,
    WriteError,
)
from dms_relay.merge import merge
from dms_relay.model import Origin, Paths, PostfixConfig, Problem
from dms_relay.model.configuration import Inputs, RelayConfig
from dms_relay.plan import Plan, plan
from dms_relay.plan.found import Found, find
from dms_relay.render import render
from dms_relay.sources import read

__version__ = "0.1.0"
__all__ = [
    "BusyError",
    "Found",
    "InputError",
    "Inputs",
    "MissingInputError",
    "Origin",
    "Paths",
    "Plan",
    "PostfixConfig",
    "PostfixError",
    "Problem",
    "RelayConfig",
    "RelayError",
    "UsageError",
    "WriteError",
    "__version__",
    "apply",
    "find",
    "merge",
    "plan",
    "read",
    "render",
]
