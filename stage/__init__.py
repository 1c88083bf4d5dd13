"""A stage to watch Postfix on: a private instance, and relays that write down what they get.

Shared by the tests, the demo and the benchmark; no part of the installed
package. Everything is on loopback, in directories of its own, and gone when
its context manager ends.
"""

from stage.inputs import ApplyError, Inputs
from stage.ledger import Ledger, Login, NotReceivedError, Received
from stage.modes import (
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
from stage.postfix import Postfix, PostfixError, why_unavailable
from stage.relays import Relay
from stage.stage import Stage

__all__ = [
    "CLEARTEXT_STRANGER",
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
    "Stage",
    "Tls",
    "why_unavailable",
]
