"""Timed and statistical measurements: run by hand, printed for people, never part of the tests."""
