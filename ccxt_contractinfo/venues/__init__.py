"""What an exchange says: how to reach it, what each message is, and what its REST answers."""
