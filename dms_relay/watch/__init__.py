"""The keeper: a small process beside Postfix that starts others to do the work when it is due (``dms-relay watch``).

The process runs ``start``, with ``keeper``, ``jobs``, ``children``, ``looks`` and ``record``. From the package these
import only each other, and from Python's library only small modules: they are in memory for months. Whatever reads
inputs, tokens or the queue runs in children, each with a time limit, so that a crash, a leak or a hang of heavy work
never hurts the keeper: ``dms-relay keep …`` (``commands/keep.py``), which uses ``noted``, ``once`` and ``refused``, and
``dms-relay renew``.
"""
