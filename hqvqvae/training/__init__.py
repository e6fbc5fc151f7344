"""Training, evaluation and scoring of the model and of the methods that it is compared with."""
