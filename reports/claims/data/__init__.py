"""Built-in claims files."""
