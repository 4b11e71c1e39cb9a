"""How long a training step of ``transformer-paper`` takes, against the same mathematics written out plainly."""
