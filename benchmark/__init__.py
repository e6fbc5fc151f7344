"""Scores models on MagBridge-Battery releases: tasks T1 to T4, protocol, baselines, leaderboard."""
