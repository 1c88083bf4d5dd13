"""A token endpoint on loopback, and logins that ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.certificates import Authority
from testbed.token_server import TokenServer
from tests.oauth2.given import Given

if TYPE_CHECKING:
    from collections.abc import Iterator

_AUTHORITY = Authority()


@pytest.fixture(scope="session")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the file of the authority that the endpoint's certificate is from."""
    return str(_AUTHORITY.write_certificate(tmp_path_factory.mktemp("authority") / "ca.pem"))


@pytest.fixture
def authority() -> Authority:
    """Return that authority."""
    return _AUTHORITY


@pytest.fixture
def server() -> Iterator[TokenServer]:
    """Return an endpoint that knows nobody yet."""
    with TokenServer(_AUTHORITY) as server:
        yield server


@pytest.fixture
def given(server: TokenServer, ca_file: str) -> Given:
    """Return what makes logins that the endpoint knows."""
    return Given(server, ca_file)
