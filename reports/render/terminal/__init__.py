"""Results as rich renderables."""
