"""Discovery with known lives: which early codes predict how long a cell lasts."""
