"""After a release: is it what it says?"""
