"""Layers with gradients written by hand, faster on a CPU than PyTorch's own. Imports nothing of `model`.

`torch_internals` alone knows PyTorch's undocumented functions.
"""
