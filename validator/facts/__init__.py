"""What is known of GPUs, drivers, builds and images; every row with its source. Nothing else reads ``data/facts/``."""
