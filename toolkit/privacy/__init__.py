"""Keys, pseudonyms and, later, the study that holds a log like a secret."""
