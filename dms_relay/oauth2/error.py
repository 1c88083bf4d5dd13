"""Why there is no token: an error for a person, and facts for the next try."""

from __future__ import annotations

import os

from dms_relay.errors import RelayError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class OAuth2Error(RelayError):
    """There is no token. ``text`` and ``remedy`` contain no secrets.

    ``code`` names the reason: the server's code (``invalid_grant``, ``AADSTS7000215``), ``http 503``, or a word of ours.
    ``is_final``: it will not go away by itself. ``retry_after`` is the number of seconds that the server asked us to
    wait, and ``error`` its error code from RFC 6749.
    """

    exit_code: ClassVar[int] = os.EX_UNAVAILABLE

    def __init__(  # noqa: PLR0913 -- each is a fact of its own, named by whoever raises it
        self,
        text: str,
        remedy: str,
        code: str,
        *,
        is_final: bool = False,
        retry_after: float | None = None,
        error: str = "",
    ) -> None:
        """Store the parts."""
        super().__init__(text, remedy)
        self.code = code
        self.is_final = is_final
        self.retry_after = retry_after
        self.error = error
