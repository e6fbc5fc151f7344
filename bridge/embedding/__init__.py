"""MagBridge-Embed: the simulated quantum reservoir and the latent space fitted to its embeddings (v1)."""
