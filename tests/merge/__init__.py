"""Which value wins."""
