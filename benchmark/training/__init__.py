"""The package that imports Keras: it trains, scores and explains networks."""
