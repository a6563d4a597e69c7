"""What a run has to tell, as plain JSON values: read by streaming, thinned by a stated rule."""
