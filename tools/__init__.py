"""Development tools, which are not part of any package."""
