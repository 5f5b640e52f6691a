"""What a journal tells: played again, or asked about one contract."""
