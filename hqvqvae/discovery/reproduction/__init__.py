"""Tables and figures of the paper, made anew on the NASA cells."""
