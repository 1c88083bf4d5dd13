"""Reading each input."""
