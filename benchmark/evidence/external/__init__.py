"""External validation: a model with everything that was chosen for it, on images from elsewhere."""
