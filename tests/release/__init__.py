"""What is published of a version: made, looked at, and installed."""
