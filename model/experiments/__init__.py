"""The paper's experiments on any set of sessions: splits, all systems, intervals, tables, figures.

May import all of `model`.
"""
