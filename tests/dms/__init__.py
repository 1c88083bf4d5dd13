"""The Dockerfile's target ``dms``, tried in stand-ins for docker-mailserver; see ``base/``."""
