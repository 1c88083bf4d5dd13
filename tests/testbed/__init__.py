"""Tests of the stage: a test that trusts it must be able to."""
