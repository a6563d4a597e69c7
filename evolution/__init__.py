"""The four phases of self-evolution and the loop that joins them."""
