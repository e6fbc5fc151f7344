"""The metric module `magbridge_metric`, self-contained so that the folder can be published as a Space."""
