"""Tests of the SASL plugin in sasl/: by itself under valgrind, and in a real Postfix."""
