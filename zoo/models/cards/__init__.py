"""Built-in cards."""
