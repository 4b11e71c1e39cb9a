"""The independent judge of the alignment: synthetic sessions with known truth, rivals, a bound and the scores.

Nothing that makes a session imports the estimator or the recorder: a simulator that shares a constant with what it
tests would find no fault.
"""
