"""What leverage tiers and their changes mean for a holder. Pure."""
