"""Benchmark of a training step of ``transformer-paper``, compared with a plain PyTorch implementation."""
