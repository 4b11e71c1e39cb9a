"""Benchmark of synchronising long captures: time per stage relative to decoding the video alone, and peak memory."""
