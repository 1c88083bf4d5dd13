"""``dms-relay explain``, without a running Postfix; what a running one does stands in ``tests/running/test_explain.py``."""
