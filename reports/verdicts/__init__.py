"""Published claims against runs."""
