"""The start of an import: a Postfix configuration as ``explain`` sees it, and what belongs to it.

Each source builds a ``Given``. ``machine`` is the source for a main.cf written by hand: it reads the machine's own
Postfix, and plans ``apply`` on it, without a change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.explain.views import View, view_after, view_now
from dms_relay.merge import merge
from dms_relay.model import Paths
from dms_relay.model.values import field, frozen
from dms_relay.plan import plan
from dms_relay.plan.found import find
from dms_relay.postfix.programs import Postfix
from dms_relay.render import render
from dms_relay.sources import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dms_relay.explain.values import Values
    from dms_relay.migrate.draft import Left, Name, TakenLogin


_THEN = (
    "look at what will change: dms-relay --config-dir DIR plan",
    "change it: dms-relay --config-dir DIR apply, and test it: dms-relay --config-dir DIR test",
)


@frozen
class Given:
    """A configuration to import.

    ``source`` is a description for people. ``after`` returns Postfix's configuration with the ``relay.yaml`` of a directory
    and with such parameters. ``senders`` are named in addition to those of the tables; ``logins`` are those that come from
    elsewhere, by their text in a password table. ``parameters`` and ``variables`` are what our own image needs beside
    ``relay.yaml``: lines of ``postfix-main.cf``, and variables of the container. ``direct`` are parameters needed if some
    mail goes directly, with notes on them. ``then`` is what to do once the files are written. ``keep`` is the remedy for a
    route that ``relay.yaml`` cannot express. ``origins`` has the places of parameters and of lookup keys.
    """

    source: str
    view: View
    postfix: Postfix
    after: Callable[[Path, Mapping[str, str]], View]
    senders: tuple[Name, ...] = ()
    logins: Mapping[str, TakenLogin] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)
    direct: Mapping[str, str] = field(default_factory=dict)
    direct_note: Left | None = None
    left: tuple[Left, ...] = ()
    then: tuple[str, ...] = ()
    keep: str = "leave it in main.cf: relay.yaml cannot express it"
    origins: Mapping[str, str] = field(default_factory=dict)

    def origin(self, parameter: str) -> str:
        """Return the place of a parameter."""
        return self.origins.get(parameter) or f"main.cf: {parameter}"


def machine(paths: Paths) -> Given:
    """Return the configuration of a machine's own Postfix. Raises ``PostfixError`` or ``MissingInputError``."""
    postfix = Postfix(paths.postfix_dir)
    postfix.read_main_cf()
    now = view_now(postfix)
    return Given(
        f"main.cf in {paths.postfix_dir}",
        now,
        postfix,
        lambda directory, _: applied(postfix, now, directory),
        then=_THEN,
    )


def applied(postfix: Postfix, now: View, directory: Path, environ: Mapping[str, str] | None = None) -> View:
    """Return Postfix's configuration after ``apply`` with the inputs of a directory. Raises ``InputError``.

    This undoes what ``apply`` did for another configuration directory.
    """
    paths = Paths(directory, postfix.directory, directory / "state")
    config = merge(read(paths, environ or {}))
    changes = plan(render(config, paths), find(paths), from_scratch=True)
    return view_after(postfix, now, changes, paths)


def with_parameters(view: View, parameters: Mapping[str, str]) -> View:
    """Return a configuration with some more parameters in main.cf."""
    values: Values = view.values.with_changes(parameters)
    return View(values, view.tables, view.master)
