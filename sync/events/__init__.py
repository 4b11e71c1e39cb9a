"""Detectors: each turns one stream into times of events, with an uncertainty each.

May import `sync.clock` and `sync.robust`.
"""
