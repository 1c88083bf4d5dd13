"""The shape of YAML files, and the JSON Schema."""
