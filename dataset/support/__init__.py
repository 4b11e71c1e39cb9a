"""What every package needs and none of it is about muscles: errors, clock, files, console, arrays.

Imports nothing else of `dataset`.
"""
