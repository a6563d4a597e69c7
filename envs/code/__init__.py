"""Programs as answers: how they are judged, and environments that ask for them."""
