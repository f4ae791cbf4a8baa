"""Models of the pixels themselves."""
