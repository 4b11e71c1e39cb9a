"""Tools for a person with sensors in front of them: what is there, what it says, which is which, whether all is well.

Nothing here writes to a sensor, except ``identify`` and the start and stop commands that a profile declares.
"""
