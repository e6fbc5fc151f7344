"""The leaderboard as a gradio page: the boards of a folder of results, and a form that scores predictions."""
