"""The syntax of Postfix's configuration files, and ``programs``, which runs Postfix's programs."""
