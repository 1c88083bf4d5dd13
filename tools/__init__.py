"""Tools of development, which no package holds."""
