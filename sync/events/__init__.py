"""Detectors: each turns one stream into times of events, with an uncertainty each.

Imports neither `sync.fit` nor `sync.quality`.
"""
