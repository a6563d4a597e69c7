"""What is put to judges: attacks by their aim, honest programs, pairs of answers, hostile text, known solutions."""
