"""Benchmark of the capture screen: CPU of its threads, and bytes written to the terminal."""
