"""Before a release: is the bridge to be trusted?"""
