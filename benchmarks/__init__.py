"""Timed comparisons: run with `python -m benchmarks.NAME` from the repository's root. See README.md."""
