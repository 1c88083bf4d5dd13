"""A testbed for Postfix: a private instance, and relays that record what they receive.

Shared by the tests, the demo and the benchmark; not part of the installed
package. Everything is on loopback, in its own directories, and gone when its
context manager ends.
"""

from testbed.inputs import ApplyError, Inputs
from testbed.ledger import Ledger, Login, NotReceivedError, Received
from testbed.modes import (
    CLEARTEXT_STRANGER,
    PLAIN,
    SMTPS,
    STRANGER,
    SUBMISSION,
    WORLD,
    Auth,
    Certificate,
    Mode,
    Tls,
)
from testbed.patience import PATIENCE
from testbed.postfix import Postfix, PostfixError, why_unavailable
from testbed.relays import Relay
from testbed.testbed import Testbed

__all__ = [
    "CLEARTEXT_STRANGER",
    "PATIENCE",
    "PLAIN",
    "SMTPS",
    "STRANGER",
    "SUBMISSION",
    "WORLD",
    "ApplyError",
    "Auth",
    "Certificate",
    "Inputs",
    "Ledger",
    "Login",
    "Mode",
    "NotReceivedError",
    "Postfix",
    "PostfixError",
    "Received",
    "Relay",
    "Testbed",
    "Tls",
    "why_unavailable",
]
