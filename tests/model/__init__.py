"""The values, and what makes them."""
