"""Tests of the testbed: a test that trusts it must be able to."""
