"""One file per command: its arguments, one call, what is printed."""
