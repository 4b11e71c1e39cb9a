"""Exports of sessions: CSV, Parquet, BIDS, NWB, EDF and C3D; one format a module, all listed in the registry.

May import `dataset.pose`, `dataset.session` and `dataset.support`.
"""
