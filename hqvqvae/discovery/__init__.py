"""The discovery protocol: which codes come early, and whether that means anything."""
