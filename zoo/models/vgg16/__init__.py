"""VGG16 and its pretrained weights."""
