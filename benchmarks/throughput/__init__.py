"""How fast a long capture is synchronised, by stage, against decoding its video alone; and in how much memory."""
