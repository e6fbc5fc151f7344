"""Writes MagBridge-Battery releases: from upstream files to signals, splits and a release folder."""
