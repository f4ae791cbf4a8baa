"""How a metric depends on the number of training images."""
