"""How well the recorder keeps up with a camera: drops, the delay of stamps, what encoding costs."""
