"""HQ-VQVAE: a hybrid quantum-classical VQ-VAE for early degradation codes in battery cycling data."""
