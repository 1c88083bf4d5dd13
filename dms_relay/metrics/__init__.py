"""Metrics for Prometheus: the queue, deliveries by relay, tokens, certificates, what is in force (``dms-relay metrics``)."""
