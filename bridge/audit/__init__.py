"""Audit a release: check that it keeps its promises."""
