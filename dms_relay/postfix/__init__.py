"""The syntax of Postfix's configuration files, and ``programs``, the only door to Postfix's programs."""
