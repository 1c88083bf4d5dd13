"""The route of a message, and why: Postfix's own order of lookups, on the machine's present configuration.

``views`` reads what Postfix has, and what it would have after ``apply``; ``routing`` does what trivial-rewrite(8) does with
a message; ``client`` does what smtp(8) does at each nexthop; ``report`` writes the text and the document. The rules come
from Postfix's manual pages and source, and were tested on running ones, 3.7 and 3.10. Reads, never writes.
"""
