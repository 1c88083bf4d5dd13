"""Which way a message takes, and why: Postfix's own order of lookups, on the configuration that stands on the machine.

``views`` gives a view of what Postfix has (and of what it would have after ``apply``), ``routing`` does what
trivial-rewrite(8) does with a message, ``client`` what smtp(8) does at each nexthop, ``report`` puts it into words. What
Postfix does was read in its manual pages and tried on running ones, 3.7 and 3.10; reads, never writes.
"""
