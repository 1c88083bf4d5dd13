"""The table of failures that are temporary for a relay's service: mail waits that smtp(8) would return. Pure.

smtp(8) returns a message at once if the relay is this machine, or refuses this machine's name, address or STARTTLS, or
wants a login. These failures are not about the message, and all can be fixed: so it waits, as it does if a password is
refused (postconf(5), smtp_sasl_auth_soft_bounce). The relay's replies about a sender, a recipient or the message itself are
not changed.

The table is the service's ``smtp_delivery_status_filter``, available since Postfix 3.0; ``regexp:`` is built into Postfix
(regexp_table(5)). Postfix looks up the status and its reason, ``5.4.6 mail for … loops back to myself``. Seen on Postfix 3.7
(``tests/running/test_states.py``).

Known limits: mail is still returned if a relay wants a login but replies with a code other than 530 or 538, or refuses this
machine only after RCPT TO and in other words than Postfix's: that looks like a reply about the message. An operator's own
filter in main.cf has no effect on these services.
"""

from __future__ import annotations

#: How smtp(8) begins a reason that quotes the relay's reply about a message (smtp_trouble.c).
_SAID = r"host [^ ]+ said: "
#: Failures about the message: the relay's replies about it, and what smtp(8) itself finds, by the classes of RFC 3463: the
#: message is too big for this relay (X.3.4), or has content that it does not support (X.6, with SMTPUTF8 and MIME).
_ABOUT_THE_MESSAGE = rf"^5\.([0-9.]+ {_SAID}|3\.4 |6\.[0-9]+ )"
#: A reply's code and status; if it has several lines, smtp(8) puts a blank between them.
_REPLY = r"5[0-9][0-9][ -]([0-9]+\.[0-9]+\.[0-9]+ )?"
#: Replies about this machine: a login or TLS is required (RFC 4954, section 6: 530, 538); its name or address is refused,
#: in the words of Postfix's smtpd(8), which says so only after RCPT TO (smtpd_delay_reject).
_ABOUT_THIS_MACHINE = (
    r"53[08][ -]",
    rf"{_REPLY}<[^>]*>: (Client host|Helo command) rejected: ",
    rf"{_REPLY}Service unavailable; Client host ",
)
#: The same status as a temporary one.
_WAITS = "4$1"
_LINES = (
    "# Mail waits where the reason lies with this machine or the network, not with the message.",
    *(rf"/^5(\.[0-9.]+ {_SAID}{reply}.*)$/ {_WAITS}" for reply in _ABOUT_THIS_MACHINE),
    f"if !/{_ABOUT_THE_MESSAGE}/",
    rf"/^5(\.[0-9.]+ .*)$/ {_WAITS}",
    "endif",
)
TEMPORARY_PATTERNS = "".join(f"{line}\n" for line in _LINES)
