"""Validation before a release: can the bridge be trusted?"""
