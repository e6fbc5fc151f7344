"""The leaderboard: boards, page, export, the Space and its publishing."""
