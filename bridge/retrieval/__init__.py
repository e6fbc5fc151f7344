"""Retrieve and blend: base signals, degradation and noise (v1)."""
