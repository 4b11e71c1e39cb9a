"""What the person is asked to do, and when: protocol files, schedules, positions in them.

Imports nothing else of `acquire`.
"""
