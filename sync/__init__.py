"""Capture to session: one clock, the 10 Hz grid, and a verdict that is right or refuses (`mia-sync`)."""
