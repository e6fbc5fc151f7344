"""Corpora: the rows of many releases in one folder of any size, made by any number of processes or machines."""
