"""One squat between two sync sequences: the shortest recording that aligns."""

PROTOCOL = """
name = "short"
rest_s = 0.5
lead_in_s = 1.0
[sync]
claps = 4
stomps = 4
[[exercises]]
name = "squat"
seconds = 3.0
"""
