"""The example from docker-mailserver's documentation, and its expected results."""

from typing import NamedTuple

RELAYMAP = """\
@domain1.com        [smtp.mailgun.org]:587
@domain2.com        [smtp.sendgrid.net]:2525

# Opt-out of relaying:
@domain3.com
"""

LOGINS = """\
@domain1.com        mailgun-user:secret
@domain2.com        sendgrid-user:secret

# NOTE: This must have an exact match with the relay host in `postfix-relaymap.cf`,
# `/etc/postfix/relayhost_map`, or the `DEFAULT_RELAY_HOST` ENV.
# NOTE: Not supported via our setup CLI, but valid config for Postfix.
[email-smtp.us-west-2.amazonaws.com]:2587 aws-user:secret
"""

SETTINGS = {"RELAY_HOST": "email-smtp.us-west-2.amazonaws.com", "RELAY_PORT": "2587"}
DOMAINS = ("domain1.com", "domain2.com", "domain3.com", "domain4.com")

MAILGUN = "smtp.mailgun.org"
SENDGRID = "smtp.sendgrid.net"
SES = "email-smtp.us-west-2.amazonaws.com"
WORLD = "somewhere.example"
RECIPIENT = f"anyone@{WORLD}"

RELAYS = {
    MAILGUN: (587, {"mailgun-user": "secret"}),
    SENDGRID: (2525, {"sendgrid-user": "secret"}),
    SES: (2587, {"aws-user": "secret"}),
}
"""Each relay's port, and the login that it accepts; `demo.relays` adds a second one at SES."""


class Rule(NamedTuple):
    """Where a sender's mail must arrive, with which user name, why, and whether over TLS."""

    sender: str
    relay: str
    user: str | None
    why: str
    recipient: str = RECIPIENT
    is_tls: bool = True


RULES = (
    Rule("anna@domain1.com", MAILGUN, "mailgun-user", "mapped"),
    Rule("ben@domain2.com", SENDGRID, "sendgrid-user", "mapped"),
    Rule("cleo@domain3.com", WORLD, None, "opted out: direct"),
    Rule("dora@domain4.com", SES, "aws-user", "RELAY_HOST"),
    Rule("<>", WORLD, None, "null sender: no domain"),
)
