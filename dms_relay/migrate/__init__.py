"""Moves a Postfix that relays by other means to ``relay.yaml``, and proves that routes do not change (docs/migrate.md).

All sources work alike: a source supplies a Postfix configuration (``given``): the machine's own main.cf, or what relay.sh
or another image derives from its environment. ``names`` lists the senders and recipients in it, ``deliveries`` asks
``explain`` for the route of each, ``drafting`` turns the answers into an intermediate value (``draft``), and
``yaml_text`` writes the file. ``proof`` asks ``explain`` again, before and after, for every name. ``drafting`` and
``yaml_text`` are pure; only ``writing`` writes, apart from temporary directories of root's own.
"""
