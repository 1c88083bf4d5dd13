"""Metrics: what is counted, what is shown, and how it is served."""
