"""Published figures against themselves."""
