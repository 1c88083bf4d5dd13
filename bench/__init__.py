"""What it costs: ``python -m bench``. No part of the installed package."""
