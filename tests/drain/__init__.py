"""Tests of the drain, with a real Postfix."""
