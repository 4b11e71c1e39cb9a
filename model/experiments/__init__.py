"""The paper's experiments on any set of sessions: honest splits, all systems, intervals, tables, figures.

May import all of `model`.
"""
