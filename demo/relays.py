"""The second part: named relays in `relay.yaml`, and the expected results."""

from demo.page import RECIPIENT, SENDGRID, SES, WORLD, Rule

FASTMAIL = "smtp.fastmail.com"
IMPLICIT = {FASTMAIL: (465, {"anna@domain1.com": "secret"})}
"""A relay with implicit TLS: its port, and the only login that it accepts."""
SECOND = {"second-account": "secret"}
"""Another login that the default relay accepts."""
PARTNER = "friend@partner.example"

PASSWORDS = {"FASTMAIL_PASSWORD": "secret", "SENDGRID_PASSWORD": "secret", "SES_PASSWORD": "secret"}
"""The variables named in the file."""

TEXT = """\
version: 1
relays:
  fastmail:
    host: smtp.fastmail.com
    port: 465
    login: {{username: anna@domain1.com, password_env: FASTMAIL_PASSWORD}}
    tls: {{ca_file: {ca_file}}}
  sendgrid:
    host: smtp.sendgrid.net
    port: 2525
    login: {{username: sendgrid-user, password_env: SENDGRID_PASSWORD}}
    tls: {{ca_file: {ca_file}}}
  ses:
    host: email-smtp.us-west-2.amazonaws.com
    port: 2587
    login: {{username: aws-user, password_env: SES_PASSWORD}}
    tls: {{ca_file: {ca_file}}}
default: ses
senders:
  domain1.com: fastmail
  domain2.com: {{relay: ses, login: {{username: second-account, password_env: SES_PASSWORD}}}}
  domain3.com: direct
recipients:
  partner.example: sendgrid
"""
"""The file; `ca_file` is the testbed's own authority, which no system trusts."""

RULES = (
    Rule("anna@domain1.com", FASTMAIL, "anna@domain1.com", "its relay, port 465"),
    Rule("ben@domain2.com", SES, "second-account", "second account"),
    Rule("cleo@domain3.com", WORLD, None, "direct: no TLS asked", RECIPIENT, is_tls=False),
    Rule("cleo@domain3.com", SENDGRID, "sendgrid-user", "to partner.example", PARTNER),
    Rule("dora@domain4.com", SES, "aws-user", "default"),
    Rule("<>", SES, "aws-user", "null sender: default"),
)
