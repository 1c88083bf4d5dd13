"""Tests of the queue of mail that waits."""
