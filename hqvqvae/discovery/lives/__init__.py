"""Discovery where lives are known: which early codes foretell how long a cell lasts."""
