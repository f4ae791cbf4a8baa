"""Search spaces: which parameters of a card may be tuned, and how."""
