"""Access tokens over HTTPS: requests (``grants``), renewals (``renewal``), a person's consent (``device``, ``browser``).

Only this package imports the libraries for HTTP, JWT and OAuth2's request bodies (60 ms, ``bench.oauth2_libraries``), and
only commands that need a token import this package.
"""

from dms_relay.oauth2.answer import Answer
from dms_relay.oauth2.error import OAuth2Error
from dms_relay.oauth2.grants import obtain

__all__ = ["Answer", "OAuth2Error", "obtain"]
