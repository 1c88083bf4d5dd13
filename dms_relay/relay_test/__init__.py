"""Tests relays without sending mail: name, connection, greeting, EHLO, TLS, AUTH, QUIT (``dms-relay test``).

    targets ──> resolve ──> connect ──> session (connection, tls, login, message) ──> outcome ──> diagnosis, hints ──> report
    what to     addresses   TCP         SMTP, step by step                            result      cause and remedy     table,
    test, with                                                                                                         JSON
    which TLS (demand)

``certificate``, ``demand``, ``diagnosis``, ``hints``, ``message``, ``outcome``, ``replies``, ``report``, ``secrets`` and
``targets`` are pure.
A password leaves this process in one place, ``login``, after ``session`` has verified that the TLS level is reached.

Known limits: TLSA records (levels ``dane``, ``dane-only``) are not looked up, so at these levels no password is sent.
Parameters that the operator adds to a managed service of master.cf do not count.
"""
