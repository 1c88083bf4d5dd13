"""The tests. Each docstring states the rule that the test holds us to."""
