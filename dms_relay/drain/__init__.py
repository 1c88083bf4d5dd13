"""Empties the queue before a container ends: takes no new mail, delivers what waits, says what remains (``dms-relay drain``)."""
