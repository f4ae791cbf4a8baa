"""What published figures imply: feasible confusion matrices, bounds."""
