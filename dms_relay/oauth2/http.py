"""One HTTPS request with limits: on seconds and octets, and only to the named host.

Reads ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` (either case) from the environment that it is given, and the
authorities of ``ca_file``, else the system's. Follows no redirect: a request carries secrets, and the operator should know
if an address has moved. Raises ``OAuth2Error`` with texts of its own, since those of libraries may contain what was sent.

Known limits: proxies are HTTP or HTTPS ones, not SOCKS. After the time limit a thread may still wait for the server; it
ends with the process.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # not in the library's stubs

import urllib3
from urllib3 import exceptions

from dms_relay.model.values import field, frozen
from dms_relay.oauth2.error import OAuth2Error

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Maximum octets of an answer to read. One with a token of 8 KiB takes a quarter of it; a token of 64 KiB fits no table.
ANSWER_MAX = 64 * 1024
#: Maximum seconds for Retry-After: an hour, since a token lives about as long.
RETRY_AFTER_MAX = 3600.0
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "dms-relay",
}
_LET_OUT = "check the address; if it is right, allow outgoing HTTPS to it, or set HTTPS_PROXY"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@frozen
class Reply:
    """A server's answer. ``server_time`` is the time by its clock, ``None`` if unknown."""

    status: int
    body: bytes = field(repr=False)
    retry_after: float | None = None
    server_time: float | None = None


def post(  # noqa: PLR0913 -- each is a fact of its own
    url: str, form: str, *, ca_file: str, environ: Mapping[str, str], timeout: float, authorization: str = ""
) -> Reply:
    """Send a form; ``timeout`` seconds are for all of it, names and TLS included."""
    headers = {**_HEADERS, **({"Authorization": authorization} if authorization else {})}
    host = require_https(url)
    results: list[Reply | OAuth2Error | Exception] = []

    def ask() -> None:
        try:
            results.append(_post(url, form, headers, _pool(url, _context(ca_file), environ), timeout))
        except Exception as error:  # noqa: BLE001 -- raised again below, in the thread that asked
            results.append(error)

    # Socket timeouts restart with each octet: a server that sends one per second would never time out.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    result = results[0] if results else exceptions.TimeoutError()
    if isinstance(result, Reply):
        return result
    if isinstance(result, OAuth2Error):
        raise result
    raise _error(result, host, timeout, environ) from None


def require_https(url: str) -> str:
    """Return the host of an address; refuse one that is not https, since anybody could read the secrets on the way."""
    parts = split(url)
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise OAuth2Error("the token endpoint is not an https address", "write https://…", "not https", is_final=True)
    return parts.hostname


def split(url: str) -> SplitResult:
    """Return the parts of an address; all empty if it is not one."""
    try:
        return urlsplit(url)
    except ValueError:  # brackets without an IPv6 address
        return urlsplit("")


def _post(url: str, form: str, headers: dict[str, str], manager: urllib3.PoolManager, timeout: float) -> Reply:
    deadline = time.monotonic() + timeout
    with manager as pool:
        response = pool.request(
            "POST",
            url,
            body=form.encode(),
            headers=headers,
            timeout=urllib3.Timeout(total=timeout),
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            body = _read(response, deadline)
        finally:
            response.close()
    _refuse_redirect(response, url)
    return Reply(response.status, body, _retry_after(response), _date(response.headers.get("Date")))


def _pool(url: str, context: ssl.SSLContext, environ: Mapping[str, str]) -> urllib3.PoolManager:
    proxy = proxy_of(url, environ)
    if not proxy:
        return urllib3.PoolManager(ssl_context=context)
    parts = split(proxy)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    return urllib3.ProxyManager(address, proxy_headers=headers, ssl_context=context, proxy_ssl_context=context)


def proxy_of(url: str, environ: Mapping[str, str]) -> str:
    """Return the proxy for an address; empty if there is none. It may contain a password."""
    host = split(url).netloc.rpartition("@")[2]
    if proxy_bypass_environment(host, {"no": _setting(environ, "no_proxy")}):
        return ""
    proxy = _setting(environ, "https_proxy") or _setting(environ, "all_proxy")
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    if proxy and (split(proxy).scheme not in {"http", "https"} or not split(proxy).hostname):
        raise OAuth2Error(
            "HTTPS_PROXY is not the address of an HTTP proxy", "write http://HOST:PORT", "proxy", is_final=True
        )
    return proxy


def _setting(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def _context(ca_file: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        text = f"{ca_file} cannot be used as certificate authorities: {error.strerror}"
        raise OAuth2Error(text, "name a file of certificates (PEM)", "ca_file", is_final=True) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    body = b""
    while piece := response.read(ANSWER_MAX + 1 - len(body)):
        body += piece
        if len(body) > ANSWER_MAX:
            text = f"the answer of the token endpoint is longer than {ANSWER_MAX // 1024} KiB"
            raise OAuth2Error(text, "check which server answers at that address", "too long")
        if time.monotonic() > deadline:
            raise exceptions.TimeoutError
    return body


def _refuse_redirect(response: urllib3.BaseHTTPResponse, url: str) -> None:
    if response.status not in _REDIRECTS:
        return
    target = split(response.headers.get("Location", ""))
    shown = target.hostname if target.hostname and target.hostname.isascii() else "another address"
    text = f"{split(url).hostname} redirects to {shown}, and no secret is sent there"
    raise OAuth2Error(text, "write the address that issues tokens (token_url)", "redirect", is_final=True)


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    """Return the seconds that a server asks to wait, from a number or a date (RFC 9110, section 10.2.3)."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_MAX)
    then = _date(text)
    now = _date(response.headers.get("Date")) or time.time()
    return None if then is None else min(max(0.0, then - now), RETRY_AFTER_MAX)


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def _error(error: Exception, host: str, timeout: float, environ: Mapping[str, str]) -> OAuth2Error:
    """Return why there is no answer: in our own words, since those of a library may contain what was sent."""
    reasons: tuple[tuple[type[Exception], str, str], ...] = (
        (exceptions.ProxyError, "the proxy refuses the connection to {host}", "check HTTPS_PROXY and NO_PROXY"),
        (
            exceptions.SSLError,
            "the TLS handshake with {host} fails: {tls}",
            "name the authority of its certificate (ca_file)",
        ),
        (exceptions.NameResolutionError, "{host} has no address", "check the host name and the DNS"),
        # It is a subclass of ConnectTimeoutError, though nothing took long.
        (exceptions.NewConnectionError, "{host} cannot be reached{reason}", _LET_OUT),
        (exceptions.ConnectTimeoutError, "{host} cannot be reached in {timeout:g} s", _LET_OUT),
        (exceptions.TimeoutError, "{host} has not answered in {timeout:g} s", "nothing to do: dms-relay tries again"),
        (exceptions.HTTPError, "{host} ended the connection", "nothing to do: dms-relay tries again"),
    )
    for kind, text, remedy in reasons:
        if isinstance(error, kind):
            words = text.format(host=host, timeout=timeout, tls=_tls_reason(error), reason=_reason(error))
            via = " (through a proxy)" if _setting(environ, "https_proxy") and kind is not exceptions.ProxyError else ""
            return OAuth2Error(words + via, remedy, "no answer")
    return OAuth2Error(f"the request to {host} fails: {type(error).__name__}", "run with LOG_LEVEL=debug", "no answer")


def _reason(error: Exception) -> str:
    """Return the system's error text, which contains nothing that was sent."""
    cause = error.__cause__
    return f": {os.strerror(cause.errno)}" if isinstance(cause, OSError) and cause.errno else ""


def _tls_reason(error: Exception) -> str:
    """Return OpenSSL's reason, which is about the certificate or the protocol, and never about what was sent."""
    reason: object = error
    while isinstance(reason, Exception):
        if isinstance(reason, ssl.SSLCertVerificationError):
            return reason.verify_message
        if isinstance(reason, ssl.SSLError):
            return str(reason.reason or "TLS failed").lower().replace("_", " ")
        reason = reason.args[0] if reason.args else None
    return "TLS failed"
