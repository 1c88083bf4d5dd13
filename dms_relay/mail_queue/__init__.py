"""What waits in Postfix's queue: which message, since when, for which relay, and why (``dms-relay queue``)."""
