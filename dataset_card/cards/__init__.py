"""The documents of a release, rendered from the contract and a manifest."""
