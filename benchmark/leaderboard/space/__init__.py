"""The leaderboard as a gradio page: the boards of a folder of results, and predictions scored on the spot."""
