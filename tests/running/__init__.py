"""What a running Postfix does: real relays, real deliveries."""
