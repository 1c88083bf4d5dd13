"""The byte code of a boot in one file: a start reads one file instead of a hundred.

``python -m dms_relay.bundle`` writes it, and the launcher that uses it; ``finder`` imports from it.
"""
