"""Empties the queue before Postfix ends: takes no new mail, delivers what waits, says what remains (``dms-relay drain``)."""
