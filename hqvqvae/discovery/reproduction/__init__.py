"""Tables and figures of the paper, reproduced on the NASA cells."""
