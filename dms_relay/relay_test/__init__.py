"""Tries relays without sending mail: name, connection, greeting, EHLO, TLS, AUTH, QUIT; what ``dms-relay test`` does.

    targets ──> resolve ──> connect ──> session (wire, tls, login, message) ──> outcome ──> diagnosis, hints ──> report
    what to     addresses   TCP         SMTP, step by step                      what came   cause and remedy     table, JSON
    try, with                                                                  of it
    which TLS (demand)

``certificate``, ``demand``, ``diagnosis``, ``hints``, ``message``, ``outcome``, ``replies``, ``report``, ``secrets`` and
``targets`` are pure.
A password leaves this process in one place, ``login``, after ``session`` has seen that the level of TLS is reached.

Known limits: TLSA records (levels ``dane``, ``dane-only``) are not looked up, so at these levels no password is sent. What
somebody has set in a service of master.cf beside what we set there does not count.
"""
