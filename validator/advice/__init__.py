"""The rules asked about a matrix before anything runs: predictions, recommendations, what an upgrade would change."""
