"""The byte code of a boot in one file, and the launcher."""
