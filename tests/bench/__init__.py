"""Tests of the benchmarks: that they measure what they say, at a small size."""
