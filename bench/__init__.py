"""The benchmarks: ``python -m bench``. Not part of the installed package."""
