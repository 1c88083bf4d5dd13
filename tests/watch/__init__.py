"""The keeper: `dms-relay watch` and `dms-relay status`."""
