"""Finds the SASL mechanism that Postfix would use of those that a server announces.

``smtp_sasl_mechanism_filter`` removes some from the list (smtp_sasl_glue.c); Cyrus SASL chooses from the rest (``sasl``).
Raises ``StepError`` if Postfix would not log in, or only with a mechanism that this command does not support.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dms_relay.model.oauth2 import TOKEN_MECHANISMS
from dms_relay.postfix.mechanism_filter import KNOWN, passes
from dms_relay.relay_test.outcome import Detail, Failure, StepError
from dms_relay.relay_test.secrets import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dms_relay.relay_test.demand import Demand

#: The mechanisms of this command for passwords, in the order in which Cyrus SASL chooses them.
OURS = ("CRAM-MD5", "PLAIN", "LOGIN")
#: Those for access tokens, in the same order if our plugin is installed (``sasl/``).
FOR_TOKENS = tuple(name.upper() for name in TOKEN_MECHANISMS)


def choose(offered: Sequence[str], demand: Demand, *, in_tls: bool) -> str:
    """Return the mechanism for passwords that Postfix would use.

    Raises ``StepError`` if there is none, or this command does not support it, or it takes the password for a token.
    """
    passed = _passed(offered, demand)
    chosen = _choice(passed, demand.options(in_tls=in_tls), demand)
    if not chosen:
        raise _none(offered, passed, demand)
    if chosen in FOR_TOKENS:
        what = f"Postfix would send the password as an access token, with {chosen}, so no login was sent"
        raise StepError(Failure.MECHANISM, what, detail=Detail.AS_TOKEN)
    if chosen not in OURS:
        what = (
            f"of the mechanisms offered Postfix would choose {printable(chosen)}, which this command does not support,"
            f" so no login was sent; offered: {_list(offered)}"
        )
        raise StepError(Failure.NOT_CHECKED, what, detail=Detail.OTHER_MECHANISM)
    return chosen


def choose_for_token(offered: Sequence[str], demand: Demand, *, in_tls: bool) -> str:
    """Return the mechanism for access tokens that Postfix would use; without the plugin, the one that it would use with it.

    Raises ``StepError`` if there is none.
    """
    passed = [name for name in _passed(offered, demand) if name in FOR_TOKENS]
    if passed:
        return _choice(passed, demand.options(in_tls=in_tls), demand) or min(passed, key=FOR_TOKENS.index)
    what = f"the server offers only these AUTH mechanisms: {_list(offered) or 'none'}"
    if found := [name.lower() for name in offered if name in FOR_TOKENS]:
        raise StepError(Failure.MECHANISM, what, detail=Detail.NOT_LISTED, subject=", ".join(found))
    raise StepError(Failure.MECHANISM, what, detail=Detail.NO_TOKEN_MECHANISM)


def has_plugin(mechanism: str, demand: Demand) -> bool:
    """Return True if Cyrus SASL has a plugin for a mechanism."""
    return _choice([mechanism], "", demand) == mechanism


def _passed(offered: Sequence[str], demand: Demand) -> list[str]:
    return [name for name in offered if passes(name.lower(), demand.mechanism_filter)]


def _none(offered: Sequence[str], passed: Sequence[str], demand: Demand) -> StepError:
    """Return why Postfix would use no mechanism."""
    usable = _usable(offered, demand)
    if not usable and set(offered) & set(OURS):
        what = f"Cyrus SASL has no plugin for the mechanisms that the server offers: {_list(offered)}"
        return StepError(Failure.MECHANISM, what, detail=Detail.NO_PLUGIN)
    what = f"the server offers only these AUTH mechanisms: {_list(offered) or 'none'}"
    if offered and set(offered) <= set(FOR_TOKENS):
        return StepError(Failure.MECHANISM, what, detail=Detail.TOKENS_WANTED)
    if not usable:
        return StepError(Failure.MECHANISM, what, detail=Detail.NOT_OURS)
    if not passed and demand.is_of_relay:
        return StepError(Failure.MECHANISM, what, detail=Detail.NOT_LISTED, subject=", ".join(usable))
    what = f"main.cf permits none of the mechanisms that the server offers: {_list(offered)}"
    return StepError(Failure.MECHANISM, what, detail=Detail.NOT_ALLOWED)


def _usable(offered: Sequence[str], demand: Demand) -> tuple[str, ...]:
    """Return the mechanisms that Cyrus SASL could use for a login, if nothing forbade them."""
    names = (name for name in offered if name not in {"ANONYMOUS", "EXTERNAL"})
    return tuple(name.lower() for name in names if _choice([name], "", demand))


def _choice(names: Sequence[str], options: str, demand: Demand) -> str:
    """Return the choice of Cyrus SASL; without the library, the first mechanism that it must support."""
    if not names:
        return ""
    try:
        from dms_relay.relay_test.sasl import choice  # noqa: PLC0415 -- a Python without ctypes has none

        return choice(names, options, with_authzid=demand.with_authzid)
    except ImportError:
        order = (*(name.upper() for name in KNOWN if name.upper() not in OURS), *OURS)
        return next((name for name in order if name in names), "")


def _list(names: Iterable[str]) -> str:
    return printable(" ".join(names))
