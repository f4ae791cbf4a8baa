"""The images that a card misclassifies, with what explains them."""
