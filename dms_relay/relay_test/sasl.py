"""Asks Cyrus SASL which mechanism of a list Postfix would choose; this needs no login, and passes none.

The library itself answers (libsasl2, client.c), since its order depends on the installed plugins: it takes the mechanism
that reveals least and protects most, whether or not the server supports it. We ask as Postfix does
(xsasl_cyrus_client.c), in our own process: one call at a time, as the library is not thread-safe.

It looks for plugins where Postfix's own processes do (``look_in``, before the first call).

Known limits: assumes that Postfix uses the library that the system's linker finds.
"""

from __future__ import annotations

import os
from ctypes import CDLL, CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_uint, c_ulong, c_void_p
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LIBRARY = "libsasl2.so.2"
# sasl.h: results, callbacks, properties.
_OK, _CONTINUE = 0, 1
_CB_LIST_END, _CB_LOG, _CB_USER, _CB_AUTHNAME, _CB_PASS = 0, 2, 0x4001, 0x4002, 0x4004
_SEC_PROPS = 101
#: The words of ``smtp_sasl_security_options`` (postconf(5); sasl.h, SASL_SEC_…).
_FLAGS = {
    "noplaintext": 0x01,
    "noactive": 0x02,
    "nodictionary": 0x04,
    "forward_secrecy": 0x08,
    "noanonymous": 0x10,
    "mutual_auth": 0x40,
}
#: The library's name for SMTP, and a server: neither affects the choice.
_SERVICE, _SERVER = b"smtp", b"relay.invalid"

#: The variable that makes the library look for plugins in other places than its built-in ones (lib/common.c).
_PATH = "SASL_PATH"

_Procedure = CFUNCTYPE(c_int)
_lock = Lock()


class MissingError(ImportError):
    """The library is missing, or does not work."""


class _Callback(Structure):
    _fields_ = (("id", c_ulong), ("procedure", _Procedure), ("context", c_void_p))


class _Properties(Structure):
    _fields_ = (
        ("min_ssf", c_uint),
        ("max_ssf", c_uint),
        ("maxbufsize", c_uint),
        ("security_flags", c_uint),
        ("property_names", c_void_p),
        ("property_values", c_void_p),
    )


def look_in(directories: Iterable[str]) -> None:
    """Make the library look for plugins in these directories; it keeps those already loaded."""
    os.environ[_PATH] = ":".join(directories)


def choice(mechanisms: Iterable[str], options: str, *, with_authzid: bool = False) -> str:
    """Return the mechanism that Postfix chooses; empty if Cyrus SASL has no plugin for any that the options permit.

    ``options`` are as in ``smtp_sasl_security_options``; ``with_authzid`` is ``send_cyrus_sasl_authzid``. Raises
    ``MissingError``.
    """
    with _lock:
        return _choice(" ".join(mechanisms), _flags(options), with_authzid=with_authzid)


def _flags(options: str) -> int:
    found = {_FLAGS.get(word, 0) for word in options.replace(",", " ").lower().split()}
    return sum(found)


def _choice(mechanisms: str, flags: int, *, with_authzid: bool) -> str:
    library, (few, many) = loaded()
    connection = c_void_p()
    callbacks = many if with_authzid else few
    if library.sasl_client_new(_SERVICE, _SERVER, None, None, callbacks, 0, byref(connection)) != _OK:
        raise MissingError
    try:
        library.sasl_setprop(connection, _SEC_PROPS, byref(_Properties(0, 0, 0, flags, None, None)))
        chosen = c_char_p()
        # Without a buffer for them, the library does not build the first octets: it asks for no login.
        library.sasl_client_start(connection, mechanisms.encode(), None, None, None, byref(chosen))
        return (chosen.value or b"").decode("ascii", "replace")
    finally:
        library.sasl_dispose(byref(connection))


@cache
def loaded() -> tuple[CDLL, tuple[object, object]]:
    """Load the library once, with callbacks: it checks that they exist, and does not call them."""
    try:
        library = CDLL(LIBRARY)
    except OSError:
        raise MissingError from None
    _declare(library)
    if library.sasl_client_init(_callbacks(_CB_LOG)) != _OK:
        raise MissingError
    return library, (_callbacks(_CB_AUTHNAME, _CB_PASS), _callbacks(_CB_USER, _CB_AUTHNAME, _CB_PASS))


def _declare(library: CDLL) -> None:
    library.sasl_client_new.argtypes = (c_char_p, c_char_p, c_char_p, c_char_p, c_void_p, c_uint, c_void_p)
    library.sasl_setprop.argtypes = (c_void_p, c_int, c_void_p)
    library.sasl_client_start.argtypes = (c_void_p, c_char_p, c_void_p, c_void_p, POINTER(c_uint), POINTER(c_char_p))
    library.sasl_dispose.argtypes = (c_void_p,)


#: The library keeps pointers to what it is given.
_kept: list[object] = []


def _callbacks(*numbers: int) -> object:
    nothing = _Procedure()
    refusing = _Procedure(lambda: -1)
    entries = (*(_Callback(number, refusing, None) for number in numbers), _Callback(_CB_LIST_END, nothing, None))
    array = (_Callback * len(entries))(*entries)
    _kept.extend((array, refusing))
    return array
