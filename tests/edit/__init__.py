"""The operator's .cf files, edited."""
