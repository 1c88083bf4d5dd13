"""Tests of `dms-relay test`: real relays on loopback for every class of failure, and the message asserted."""
