"""Training, evaluation and scoring of the model and of the methods it is compared with."""
