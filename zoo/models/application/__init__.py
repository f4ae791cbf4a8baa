"""Networks of keras.applications and their pretrained weights."""
