"""Tests of the store of tokens."""
