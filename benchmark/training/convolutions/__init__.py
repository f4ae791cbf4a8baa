"""How training computes convolutions: the methods, their operations, and the trial that chooses between them."""
