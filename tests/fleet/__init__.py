"""Tests of several replicas at once, as the Helm chart has them."""
