"""Hidden rounds: commit to a secret, hand out signals without labels, reveal; anyone can regenerate the round."""
