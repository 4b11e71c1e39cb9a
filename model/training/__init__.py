"""Training a network: the loop, its state, resuming, the optimiser.

May import `model.networks`.
"""
