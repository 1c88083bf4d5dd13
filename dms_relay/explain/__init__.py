"""Explains the route of a message: Postfix's own order of lookups, on the machine's present configuration.

``views`` reads the configuration of Postfix, now and after ``apply``; ``routing`` resolves a message as trivial-rewrite(8)
does; ``client`` does what smtp(8) does at each nexthop; ``report`` writes the text and the document. The rules come from
Postfix's manual pages and source, and were tested on running Postfix 3.7 and 3.10. Reads, never writes.
"""
