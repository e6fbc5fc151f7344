"""Checks before a release that show whether the bridge can be trusted."""
