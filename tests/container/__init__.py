"""Our steps before Postfix starts in the container."""
