"""What is known of providers."""

from __future__ import annotations

import pytest

from dms_relay.model.oauth2 import CLIENT_CREDENTIALS, REFRESH_TOKEN
from dms_relay.model.providers import GOOGLE, MICROSOFT, PROVIDERS, Endpoints, endpoints, is_tenant


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_address_is_https(provider: str) -> None:
    """No provider is asked in the clear."""
    found = endpoints(provider, "contoso.onmicrosoft.com")
    urls = [url for url in (found.token_url, found.device_url, found.authorization_url) if url]
    assert urls
    assert all(url.startswith("https://") for url in urls)


def test_tenant_is_part_of_microsofts_address() -> None:
    """A token of another tenant would not open the mailbox."""
    found = endpoints(MICROSOFT, "contoso.onmicrosoft.com")
    assert found.token_url == "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"


def test_scope_follows_the_grant() -> None:
    """Microsoft has one scope for applications, and one for persons, which has to ask for a refresh token."""
    found = endpoints(MICROSOFT, "t")
    assert found.scope(CLIENT_CREDENTIALS).endswith("/.default")
    assert "offline_access" in found.scope(REFRESH_TOKEN).split()


def test_google_has_no_device_code() -> None:
    """Google's device flow refuses the scope for mail, so that a person agrees in a browser."""
    found = endpoints(GOOGLE)
    assert not found.device_url
    assert found.authorization_url


def test_unknown_provider_has_nothing() -> None:
    """Who uses another one names the addresses himself."""
    assert endpoints("") == Endpoints()


@pytest.mark.parametrize("text", ["contoso.onmicrosoft.com", "72f988bf-86f1-41af-91ab-2d7cd011db47", "common"])
def test_tenants(text: str) -> None:
    """A tenant is a domain name, a GUID, or a word."""
    assert is_tenant(text)


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a?b", "a b", "a#b", "ä", "a\n", "a@b", "%2e"])
def test_what_leads_elsewhere_is_no_tenant(text: str) -> None:
    """A tenant that had a slash or the like would ask another address."""
    assert not is_tenant(text)
