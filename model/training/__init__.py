"""Training of networks: loop, state, resuming, optimiser.

May import `model.networks`.
"""
