"""Moves a Postfix that relays by other means to ``relay.yaml``, and proves that mail goes as before (docs/migrate.md).

One way for every source: a source gives a Postfix configuration (``given``): the machine's own main.cf, or what relay.sh or
another image makes of its environment. ``names`` lists who is named in it, ``deliveries`` asks the rooms of ``explain`` what
becomes of the mail of each, ``drafting`` makes an intermediate value of the answers (``draft``), and ``yaml_text`` the file.
``proof`` asks ``explain`` again, before and after, for every name. ``drafting`` and ``yaml_text`` are pure; nothing here
writes but ``writing``, and temporary directories of root's own.
"""
