"""The text of tables and parameters."""
