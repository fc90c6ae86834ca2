"""A study: a log that is held like a secret, an account of its use, and numbers of people."""
