"""The paper's bridge: embed, retrieve neighbours, blend and modulate their scans, add noise."""
