"""Results on three or more classes."""
