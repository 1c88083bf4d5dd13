"""Tests of asking for tokens: against a real token endpoint on loopback."""
