"""What is known of all contracts, the newer over the older."""
