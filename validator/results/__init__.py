"""What is kept and what travels: results.json, and the history of runs."""
