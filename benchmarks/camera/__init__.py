"""Benchmark of recording a camera: dropped frames, delay of time stamps, CPU used for encoding."""
