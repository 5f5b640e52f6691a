"""What a stream was told, written to a file and read back."""
