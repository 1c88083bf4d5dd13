"""The keeper: a small process beside Postfix that has others do the work when it is due (``dms-relay watch``).

``start`` is what runs, with ``keeper``, ``jobs``, ``children``, ``looks`` and ``record``. These import nothing of
the package but each other, and of Python's library what is small: they are in memory for months. What reads inputs,
tokens or the queue runs in children, each with a time limit, so that a crash, a leak or a hang of heavy work never
hurts the keeper: ``dms-relay keep …`` (``commands/keep.py``), which stands on ``noted``, ``once`` and ``refused``, and
``dms-relay renew``.
"""
