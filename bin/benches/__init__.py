"""The benchmarks, a file for each; bin/bench runs them."""
