"""Independent benchmark of the alignment: synthetic sessions with known truth, other methods, a bound and scores.

No module that makes a session imports the estimator or the recorder: a simulator that shares constants with the code
under test could not find errors in them.
"""
