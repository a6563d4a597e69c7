"""Benchmarks: suites of environments, who is measured in them, and what may be said of the figures."""
