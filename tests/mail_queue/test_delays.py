"""What Postfix writes of a delay is put into the class that its remedy depends on.

The texts are smtp(8)'s and qmgr(8)'s; the replies in them are those of well-known services. ``tests/running/test_states.py``
has all that a running Postfix writes.
"""

from __future__ import annotations

import pytest

from dms_relay.mail_queue.delays import What, delay

RCPT = "host mx.x.test[192.0.2.1] said: {} (in reply to RCPT TO command)"
END = "host mx.x.test[192.0.2.1] said: {} (in reply to end of DATA command)"
MAIL = "host mx.x.test[192.0.2.1] said: {} (in reply to MAIL FROM command)"
AUTH = "SASL authentication failed; server smtp.x.test[192.0.2.1] said: {}"
TEXTS = {
    "": What.TURN,
    "deferred transport": What.STOPPED,
    "4.3.2 deferred transport": What.STOPPED,
    "mail transport unavailable": What.POSTFIX,
    "4.3.0 address resolver failure": What.POSTFIX,
    "delivery temporarily suspended: connect to a.test[192.0.2.1]:587: Connection refused": What.REFUSED,
    "delivery temporarily suspended: Server certificate not trusted": What.CERTIFICATE,
    "connect to a.test[2001:db8::1]:587: Network is unreachable": What.UNREACHABLE,
    "connect to a.test[192.0.2.1]:25: Connection timed out": What.TIMED_OUT,
    "connect to a.test[192.0.2.1]:25: Operation not permitted": What.BLOCKED,
    "connect to a.test[192.0.2.1]:25: Something new": What.LOST,
    "unable to look up host a.test: Name or service not known": What.NAME,
    "unable to look up host a.test: Temporary failure in name resolution": What.DNS,
    "Cannot start TLS: handshake failure": What.HANDSHAKE,
    "Server certificate not verified": What.CERTIFICATE,
    "client TLS configuration problem": What.TLS_CONFIGURATION,
    "TLS is required, but our TLS engine is unavailable": What.POSTFIX,
    AUTH.format(
        "535-5.7.8 Username and Password not accepted. For more 535 5.7.8 https://support.google.com"
    ): What.LOGIN,
    AUTH.format("535 5.7.139 Authentication unsuccessful, basic authentication is disabled. [x]"): What.LOGIN,
    AUTH.format(
        "454 4.7.0 Temporary authentication failure: Connection lost to authentication server"
    ): What.LOGIN_NOT_NOW,
    "SASL [CACHED] authentication failed; server a.test[192.0.2.1] said: 535 5.7.8 no": What.LOGIN,
    "SASL authentication failed; cannot authenticate to server a.test[192.0.2.1]: no mechanism available": What.MECHANISM,
    MAIL.format("530 5.7.57 Client not authenticated to send mail. [x]"): What.LOGIN_WANTED,
    MAIL.format("530 5.7.0 Must issue a STARTTLS command first"): What.TLS_WANTED,
    MAIL.format("452 4.3.1 Insufficient system storage"): What.LATER,
    MAIL.format("451 4.7.500 Server busy. Please try again later"): What.LATER,
    RCPT.format("450 4.2.0 <b@x.test>: Recipient address rejected: Greylisted, see http://postgrey"): What.GREYLISTED,
    RCPT.format("451 4.7.1 Graylisting in action, please come back later"): What.GREYLISTED,
    RCPT.format("452-4.2.2 The recipient's inbox is out of storage space. 452 4.2.2 gsmtp"): What.MAILBOX_FULL,
    RCPT.format("452 4.2.2 <b@x.test>: Over quota"): What.MAILBOX_FULL,
    END.format("452 4.1.1 <b@x.test> user quota exceeded"): What.MAILBOX_FULL,
    RCPT.format("450 4.1.2 <b@x.test>: Recipient address rejected: Domain not found"): What.RECIPIENT,
    RCPT.format("450 4.1.8 <a@y.test>: Sender address rejected: Domain not found"): What.SENDER,
    RCPT.format("450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.9]"): What.MACHINE,
    RCPT.format("450 4.7.1 <host>: Helo command rejected: Host not found"): What.MACHINE,
    END.format("454 4.7.0 Throttling failure: Maximum sending rate exceeded."): What.LIMIT,
    END.format("454 Throttling failure: Daily message quota exceeded."): What.LIMIT,
    END.format("421-4.7.28 Gmail has detected an unusual rate of unsolicited mail"): What.LIMIT,
    END.format("450 4.7.1 Error: too many connections from 192.0.2.9"): What.LIMIT,
    RCPT.format("452 4.5.3 Error: too many recipients"): What.LIMIT,
    "host a.test[192.0.2.1] refused to talk to me: 421 4.3.2 closing": What.LATER,
    "host a.test[192.0.2.1] refused to talk to me: 554 5.7.1 your address is on a list": What.MACHINE,
    "host a.test[192.0.2.1] refused to talk to me: HTTP/1.1 400 Bad Request": What.NOT_SMTP,
    "mail for a.test loops back to myself": What.LOOP,
    "temporary failure. Command output: dovecot-lda: no": What.OTHER,
}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_classes(text: str) -> None:
    """Each text has its class, also across the line ends that a reply had."""
    assert delay(text).what is TEXTS[text]
    assert delay(text.replace(" ", "\n ")).what is TEXTS[text]


def test_what_is_the_recipients_is_not_the_relays() -> None:
    """What is said of quotas at MAIL FROM is about the sender's account at the relay."""
    assert delay(RCPT.format("452 4.3.1 user over quota")).what is What.MAILBOX_FULL
    assert delay(MAIL.format("452 4.3.1 user over quota")).what is What.LATER


@pytest.mark.parametrize(
    "text", ["host a[1.2.3.4] said: ", "host said: 450", "connect to", "SASL authentication failed; ", "\0"]
)
def test_any_text_has_a_class(text: str) -> None:
    """What no Postfix writes is another reason, and no error."""
    assert delay(text).what is What.OTHER
