"""How much a kill of the recorder loses, measured against what the virtual rig had sent."""
