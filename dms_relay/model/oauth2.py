"""Logins by OAuth2 (RFC 6749): what is needed to get an access token. Frozen values; ``repr`` shows no secret."""

from __future__ import annotations

from dms_relay.model.values import field, frozen

#: How a token is requested: with the client's credentials (RFC 6749, section 4.4; RFC 7523 if it has a key), with a refresh
#: token (section 6), with a key of a Google service account (RFC 7523, section 2.1), or after a person has agreed on
#: another device (RFC 8628), which yields a refresh token.
GRANTS = CLIENT_CREDENTIALS, REFRESH_TOKEN, SERVICE_ACCOUNT, DEVICE_CODE = (
    "client-credentials",
    "refresh-token",
    "service-account",
    "device-code",
)
#: SASL mechanisms that take an access token instead of a password (Google's and Microsoft's, and RFC 7628).
TOKEN_MECHANISMS = ("xoauth2", "oauthbearer")
#: The password table's value for a login that has no access token yet. Our SASL plugin never sends it, and smtp(8) defers.
NO_TOKEN = "-no-token-yet-"  # noqa: S105 -- it says that there is none


@frozen
class OAuth2:
    """How to get an access token. Fields that a grant does not need are empty.

    ``client_key`` is a private key (PEM), with ``client_certificate`` (PEM) if the provider identifies the client by it.
    ``service_account`` is the JSON text of Google's key file. ``refresh_token`` is the first one; later ones are kept in the
    state directory. ``ca_file`` names the authorities to trust at the token endpoint instead of the system's.
    """

    grant: str
    token_url: str
    client_id: str = ""
    scope: str = ""
    provider: str = ""
    device_url: str = ""
    ca_file: str = ""
    client_secret: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)
    client_certificate: str = field(default="", repr=False)
    service_account: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    #: Where a person agrees in a browser, for providers whose device flow refuses this scope (``dms-relay login``).
    authorization_url: str = ""
