"""What performance claims are made with: `python -m benchmarks.NAME`. Ratios within one run, never wall times."""
