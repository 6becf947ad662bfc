"""One small economic world, and the four networks' APIs as answers over it."""
