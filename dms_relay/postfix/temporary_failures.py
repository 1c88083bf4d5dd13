"""The table of the failures that are temporary for a relay's service: mail waits that smtp(8) would return. Pure.

smtp(8) returns a message at once where the relay leads to this machine, or refuses this machine's name, address or STARTTLS,
or wants a login. None of this is about the message, and all of it can be put right: so it waits, as it does where a password
is refused (postconf(5), smtp_sasl_auth_soft_bounce). What the relay says of a sender, a recipient or the message itself
counts as it is.

The table is the service's ``smtp_delivery_status_filter``, there since Postfix 3.0; ``regexp:`` is built into Postfix
(regexp_table(5)). It is looked up with the status and its reason, ``5.4.6 mail for … loops back to myself``. Seen on Postfix
3.7 (``tests/running/test_states.py``).

Known limits: a relay that wants a login and says so with another code than 530 or 538, or that refuses this machine only
after RCPT TO and in other words than Postfix's, still returns the message: that cannot be told from a reply about it. A
filter of the operator's own in main.cf has no effect on these services.
"""

from __future__ import annotations

#: How smtp(8) begins what a relay has said of a message (smtp_trouble.c).
_SAID = r"host [^ ]+ said: "
#: What is about the message: what the relay has said of it, and what smtp(8) itself finds, by the classes of RFC 3463: the
#: message is too big for this relay (X.3.4), or is such that it cannot take it (X.6, with SMTPUTF8 and MIME).
_ABOUT_THE_MESSAGE = rf"^5\.([0-9.]+ {_SAID}|3\.4 |6\.[0-9]+ )"
#: A reply's code and status; where it has several lines, smtp(8) puts a blank between them.
_REPLY = r"5[0-9][0-9][ -]([0-9]+\.[0-9]+\.[0-9]+ )?"
#: Replies that are about this machine: a login or TLS is wanted (RFC 4954, section 6: 530, 538); its name or address is
#: refused, in the words of Postfix's smtpd(8), which says so after RCPT TO only (smtpd_delay_reject).
_ABOUT_THIS_MACHINE = (
    r"53[08][ -]",
    rf"{_REPLY}<[^>]*>: (Client host|Helo command) rejected: ",
    rf"{_REPLY}Service unavailable; Client host ",
)
#: The same status as one that is tried again.
_WAITS = "4$1"
_LINES = (
    "# Mail waits where the reason lies with this machine or the network, not with the message.",
    *(rf"/^5(\.[0-9.]+ {_SAID}{reply}.*)$/ {_WAITS}" for reply in _ABOUT_THIS_MACHINE),
    f"if !/{_ABOUT_THE_MESSAGE}/",
    rf"/^5(\.[0-9.]+ .*)$/ {_WAITS}",
    "endif",
)
TEMPORARY_PATTERNS = "".join(f"{line}\n" for line in _LINES)
