"""Each refusal says what is wrong and what to do next, and nothing secret."""

from __future__ import annotations

from urllib.parse import quote_plus

import pytest

from dms_relay.model import MASK
from dms_relay.model.oauth2 import OAuth2
from dms_relay.model.providers import GOOGLE, MICROSOFT
from dms_relay.oauth2 import OAuth2Error, google, microsoft
from dms_relay.oauth2.refusals import refusal, secrets_of, shown
from tests.oauth2.given import SECRET

_TRACE = "\r\nTrace ID: 0b6ad7ae-0000-0000-0000-000000000000\r\nCorrelation ID: x\r\nTimestamp: 2026-11-26 09:00:00Z"


def _refusal(error: str, said: str = "", provider: str = "", **more: object) -> OAuth2Error:
    oauth2 = OAuth2("refresh-token", "https://id.example.test", provider=provider, client_secret=SECRET)
    answer = {"error": error, "error_description": said} | more
    return refusal(answer, oauth2, secrets_of(oauth2), server_time=None, now=0.0)


@pytest.mark.parametrize(
    ("number", "text", "remedy"),
    [
        ("7000215", "client secret is wrong", "Certificates & secrets"),
        ("7000222", "client secret has expired", "Certificates & secrets"),
        ("700016", "no app of this client_id", "Directory \\(tenant\\) ID"),
        ("90002", "no such tenant", "tenant"),
        ("65001", "nobody has consented", "grant admin consent.*SMTP.SendAsApp"),
        ("500011", "a service that this tenant does not have", "outlook.office365.com/.default"),
        ("70011", "scope is wrong", "SMTP.Send offline_access"),
        ("53003", "Conditional Access", "Protection, Conditional Access"),
        ("50076", "second factor", "dms-relay login"),
        ("700082", "not used for too long", "dms-relay login"),
        ("70000", "refresh token is not valid", "dms-relay login"),
        ("50173", "password was changed", "dms-relay login"),
        ("50034", "no such user", "username"),
        ("700027", "does not have this certificate", "upload the certificate"),
    ],
)
def test_codes_of_microsoft(number: str, text: str, remedy: str) -> None:
    """Whatever the words around it, the code says what to do, and a person must."""
    error = _refusal("invalid_client", f"AADSTS{number}: Some words.{_TRACE}", MICROSOFT)
    assert error.code == f"AADSTS{number}"
    assert error.is_final
    with pytest.raises(OAuth2Error, match=rf"{text}.*\(AADSTS{number}\) -- .*{remedy}"):
        raise error


@pytest.mark.parametrize(
    ("error", "said", "text", "remedy"),
    [
        ("invalid_grant", "Token has been expired or revoked.", "revoked or has expired .*7 days", "publish the app"),
        ("invalid_grant", "Bad Request", "revoked or has expired", "dms-relay login"),
        ("invalid_grant", "Invalid JWT Signature.", "key of the service account", "create a new key"),
        ("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)", "clock is wrong", "NTP"),
        ("invalid_grant", "Invalid email or User ID", "not a mailbox of this Workspace", "mailbox that sends"),
        ("unauthorized_client", "Client is unauthorized to retrieve", "may not act", "Domain-wide delegation"),
        ("access_denied", "Requested client not authorized.", "does not have this scope", "Domain-wide delegation"),
        ("invalid_client", "The OAuth client was not found.", "client_id or client_secret", "Credentials"),
    ],
)
def test_refusals_of_google(error: str, said: str, text: str, remedy: str) -> None:
    """The same error has several causes, which the description tells apart."""
    with pytest.raises(OAuth2Error, match=rf"{text}.* -- .*{remedy}"):
        raise _refusal(error, said, GOOGLE)


def test_google_is_known_by_its_address() -> None:
    """Who writes token_url in place of provider has the same refusals."""
    oauth2 = OAuth2("refresh-token", "https://oauth2.googleapis.com/token")
    found = refusal({"error": "unauthorized_client"}, oauth2, (), server_time=None, now=0.0)
    assert "Domain-wide delegation" in found.remedy


def test_google_demands_to_sign_in_again() -> None:
    """It says so in a field of its own."""
    assert (
        "service account"
        in _refusal("invalid_grant", "reauth related error", GOOGLE, error_subtype="invalid_rapt").remedy
    )


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        ("invalid_client", True),
        ("invalid_grant", True),
        ("invalid_scope", True),
        ("unsupported_grant_type", True),
        ("something_new", True),
        ("server_error", False),
        ("temporarily_unavailable", False),
    ],
)
def test_codes_of_rfc_6749(error: str, *, is_final: bool) -> None:
    """Any other provider; its own words are shown as well."""
    found = _refusal(error, "the words of the server")
    assert found.is_final == is_final
    assert "it says: the words of the server" in found.text
    assert found.remedy


def test_failures_of_microsoft_that_go_away() -> None:
    """A transient error is none for a person."""
    assert not _refusal("temporarily_unavailable", "AADSTS90033: A transient error has occurred.").is_final


def test_every_refusal_says_what_to_do() -> None:
    """One sentence of each, without an end, as all of our messages."""
    pairs = [*microsoft.REFUSALS.values(), *((text, remedy) for _, _, text, remedy in google.REFUSALS)]
    assert all(text and remedy and not remedy.endswith(".") and " -- " not in text + remedy for text, remedy in pairs)


@pytest.mark.parametrize("form", [SECRET, quote_plus(SECRET), f"x{SECRET}y"])
def test_secret_that_the_server_repeats_is_masked(form: str) -> None:
    """As it is, and as it was sent."""
    error = _refusal("invalid_thing", f"you sent {form}, which is wrong")
    assert SECRET not in str(error)
    assert quote_plus(SECRET) not in str(error)
    assert MASK in error.text


def test_secret_in_the_code_is_masked() -> None:
    """A server can put anything anywhere."""
    error = _refusal(SECRET)
    assert SECRET not in f"{error}{error.code}"


def test_what_looks_like_a_token_is_masked() -> None:
    """It may be one that we do not know."""
    assert shown("see eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJ4In0.c2ln here", ()) == f"see {MASK} here"
    assert shown("tenant 72f988bf-86f1-41af-91ab-2d7cd011db47", ()) == "tenant 72f988bf-86f1-41af-91ab-2d7cd011db47"


def test_words_of_a_server_are_one_line() -> None:
    """No line of the log is the server's, and no terminal obeys it."""
    found = shown(f"one\r\ntwo \x1b[31mred\x00 {'long ' * 200}{_TRACE}", ())
    assert "\n" not in found
    assert "\x1b" not in found
    assert len(found) <= 300
    assert "Trace" not in found
