"""The parts of the theory benchmark."""
