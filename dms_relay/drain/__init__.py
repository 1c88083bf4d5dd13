"""Empties the queue before Postfix ends: refuses new mail, delivers what waits, says what remains (``dms-relay drain``)."""
