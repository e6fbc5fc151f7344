"""Hidden rounds: commit to a secret, hand out signals without labels, reveal; anyone makes the round again."""
