"""What `zoo export` writes beside the model."""
