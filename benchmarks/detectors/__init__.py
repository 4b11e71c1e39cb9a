"""Benchmark of the detectors on synthetic sound and video: rates of missed and false events."""
