"""Benchmarks: what the estimators do over many drawn cases, and what they cost."""
