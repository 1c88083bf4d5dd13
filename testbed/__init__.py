"""A testbed to watch Postfix on: a private instance, and relays that write down what they get.

Shared by the tests, the demo and the benchmark; no part of the installed
package. Everything is on loopback, in directories of its own, and gone when
its context manager ends.
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
