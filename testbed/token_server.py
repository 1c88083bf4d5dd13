"""A token endpoint on loopback: https, and as strict as RFC 6749, 7523, 7636 and 8628 demand; it can fail on demand.

```
with TokenServer(authority) as server:
    server.clients["us"] = OAuth2Client(secret="…")
    server.token_url, server.device_url, server.authorization_url   # where to ask
    server.accepts("user@example.test", token)                       # what an SMTP relay asks
    server.fault = Fault.ERROR                                       # from the next request on
    server.stop(); server.start()                                    # down, and back at the same port
```

Known limits: keeps what it issues in memory; grants every requested scope; one thread per connection.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from testbed.token_http import Fault, Request, Server, handler
from testbed.token_rules import (
    Clock,
    OAuth2Client,
    Refusal,
    ServiceAccount,
    authenticate,
    check_bearer,
    check_verifier,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.certificates import Authority

_TOKEN, _DEVICE = "/token", "/devicecode"
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass
class Issued:
    """An issued token; `user` is empty if it opens the mailboxes of all `users` of its client."""

    token: str
    users: tuple[str, ...]
    scope: str
    expires_at: float
    is_revoked: bool = False


@dataclass
class Pending:
    """A device, or a browser, that waits for a person."""

    client: str
    scope: str
    user: str = ""
    error: str = "authorization_pending"
    challenge: str = ""
    redirect_uri: str = ""


class TokenServer:
    """The endpoint; a context manager, or start and stop. Its attributes may be changed at any time."""

    def __init__(
        self, authority: Authority, *, host: str = "127.0.0.1", names: tuple[str, ...] = ("localhost",)
    ) -> None:
        """Prepare it; the first start takes a free port, and later ones use the same."""
        self.host, self.port = host, 0
        self.paths = {path: path for path in (_TOKEN, _DEVICE)}
        """From a path to its function: each provider has its own paths."""
        self.clients: dict[str, OAuth2Client] = {}
        self.accounts: dict[str, ServiceAccount] = {}
        self.refresh_tokens: dict[str, tuple[str, str]] = {}
        """From a refresh token to its client and user."""
        self.pending: dict[str, Pending] = {}
        """From a device code, or a browser's code, to who waits."""
        self.issued: list[Issued] = []
        self.requests: list[Request] = []
        self.fault = Fault.NONE
        self.refusal: Refusal | None = None
        """The refusal of every request for a token."""
        self.redirect_to = ""
        self.retry_after = "7"
        self.rotates = False
        """Each use of a refresh token issues a new one, and revokes the old one."""
        self.ends_late = False
        """The old one is revoked when the new one is used (RFC 9700, 4.14.2, leaves that to the server)."""
        self.delay = 0.0
        """Seconds that each answer takes."""
        self.form_is_refused = False
        """Accepts a client's secret only in the header."""
        self.clock_offset = 0.0
        self.lifetime = 3600.0
        self.token_size = 48
        self.interval: int | None = 1
        """Minimum seconds between two polls for a device; faster ones are told to slow down."""
        self.change_answer: Callable[[dict[str, Any]], dict[str, Any]] = dict
        """May change an answer with a token before it is sent."""
        self._replaced: dict[str, str] = {}
        self._tls = authority.server(host, *names).context
        self._seen: set[str] = set()
        self._last_poll: dict[str, float] = {}
        self._lock = threading.Lock()
        self._server: Server | None = None
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"https://{self.host}:{self.port}"

    @property
    def token_url(self) -> str:
        """The address for requests of tokens."""
        return f"{self.url}/token"

    @property
    def device_url(self) -> str:
        """The address for requests of device codes."""
        return f"{self.url}/devicecode"

    @property
    def authorization_url(self) -> str:
        """The address for browsers."""
        return f"{self.url}/authorize"

    def now(self) -> float:
        """Return the time by its clock."""
        return time.time() + self.clock_offset

    def accepts(self, user: str, token: str) -> bool:
        """Return True if a token opens a mailbox now."""
        found = next((issued for issued in reversed(self.issued) if issued.token == token), None)
        if found is None or found.is_revoked or found.expires_at <= self.now():
            return False
        return not found.users or user in found.users

    def revoke_all(self) -> None:
        """Revoke every issued access token."""
        for issued in tuple(self.issued):
            issued.is_revoked = True

    def new_refresh_token(self, client: str, user: str) -> str:
        """Return a refresh token, as if obtained elsewhere."""
        token = f"refresh-{secrets.token_urlsafe(24)}"
        self.refresh_tokens[token] = client, user
        return token

    def agree(self, user: str, code: str = "") -> None:
        """Play the person who consents; without a code, for all who wait."""
        for pending in [self.pending[code]] if code else list(self.pending.values()):
            pending.user, pending.error = user, ""

    def deny(self, error: str = "access_denied") -> None:
        """Play the person who refuses; or let the code expire (`expired_token`)."""
        for pending in self.pending.values():
            pending.error = error

    def browse(self, url: str, user: str) -> str:
        """Play a browser, with a person who consents at `url`: return its final address."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self.pending[code] = Pending(
            asked["client_id"], asked["scope"], user, "", asked["code_challenge"], asked["redirect_uri"]
        )
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def start(self) -> Self:
        """Listen."""
        self.stopped.clear()
        server = Server((self.host, self.port), handler(self))
        server.socket = self._tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening; a second call does no harm."""
        self.stopped.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        """Return status and answer; one request at a time."""
        with self._lock:
            self.requests.append(request)
            try:
                if self.refusal is not None:
                    raise self.refusal
                if request.path == _DEVICE:
                    return 200, self._device(request)
                return 200, self.change_answer(self._token(request))
            except Refusal as refusal:
                return refusal.status, {"error": refusal.error, "error_description": refusal.description}

    def _device(self, request: Request) -> dict[str, Any]:
        name = request.form.get("client_id", "")
        if name not in self.clients:
            raise Refusal("invalid_client", "AADSTS700016: Application was not found in the directory.", 401)
        code = secrets.token_urlsafe(24)
        self.pending[code] = Pending(name, request.form.get("scope", ""))
        answer: dict[str, Any] = {"device_code": code, "user_code": "WDJB-MJHT", "expires_in": 900}
        answer["verification_uri"] = f"{self.url}/device"
        return answer if self.interval is None else answer | {"interval": self.interval}

    def _token(self, request: Request) -> dict[str, Any]:
        form, clock = request.form, Clock(self.now(), self._seen)
        if form.get("grant_type") == _JWT_BEARER:
            user, scope = check_bearer(form, self.accounts, self.token_url, clock)
            return self._issue((user,), scope)
        if self.form_is_refused and "client_secret" in form:
            raise Refusal("invalid_client", "client_secret_post is not supported", 401)
        name, client = authenticate(form, request.authorization, self.clients, self.token_url, clock)
        match form.get("grant_type"):
            case "client_credentials":
                if not client.secret and not client.certificate:
                    raise Refusal("unauthorized_client", "a public client has nothing to show")
                return self._issue(client.users, form.get("scope", ""))
            case "refresh_token":
                return self._refresh(name, form)
            case "authorization_code":
                return self._agreed(form.get("code", ""), name, form)
            case value if value == _DEVICE_CODE:
                return self._agreed(form.get("device_code", ""), name, form)
        raise Refusal("unsupported_grant_type")

    def _refresh(self, name: str, form: dict[str, str]) -> dict[str, Any]:
        token = form.get("refresh_token", "")
        owner, user = self.refresh_tokens.get(token, ("", ""))
        if owner != name:
            raise Refusal("invalid_grant", f"AADSTS700082: The refresh token has expired: {token}")
        answer = self._issue((user,), form.get("scope", ""))
        self.refresh_tokens.pop(self._replaced.pop(token, ""), None)
        if self.rotates:
            answer["refresh_token"] = self.new_refresh_token(name, user)
            self._replaced[answer["refresh_token"]] = token
            if not self.ends_late:
                del self.refresh_tokens[token]
        return answer

    def _agreed(self, code: str, name: str, form: dict[str, str]) -> dict[str, Any]:
        pending = self.pending.get(code)
        if pending is None or pending.client != name:
            raise Refusal("invalid_grant", "no such code")
        self._check_pace(code)
        if pending.error:
            raise Refusal(pending.error)
        if pending.challenge:
            check_verifier(pending.challenge, form.get("code_verifier", ""))
            if form.get("redirect_uri") != pending.redirect_uri:
                raise Refusal("invalid_grant", "another redirect_uri")
        del self.pending[code]
        return self._issue((pending.user,), pending.scope) | {
            "refresh_token": self.new_refresh_token(name, pending.user)
        }

    def _check_pace(self, code: str) -> None:
        last, self._last_poll[code] = self._last_poll.get(code, 0.0), time.monotonic()
        # A tenth less: the client's clock may differ.
        if time.monotonic() - last < 0.9 * (self.interval or 0):
            raise Refusal("slow_down")

    def _issue(self, users: tuple[str, ...], scope: str) -> dict[str, Any]:
        token = secrets.token_urlsafe(self.token_size)[: self.token_size]
        self.issued.append(Issued(token, users, scope, self.now() + self.lifetime))
        return {"access_token": token, "token_type": "Bearer", "expires_in": int(self.lifetime), "scope": scope}
