"""Capture to session: one clock, the 10 Hz grid, and a verdict (`mia-sync`). May import `dataset`."""
