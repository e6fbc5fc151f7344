"""Battery cells: cycling data, features of discharges, proxies of fade, statistics of codes."""
