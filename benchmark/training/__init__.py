"""The only wing that imports Keras: augmented views, frozen prefixes, training and scoring."""
