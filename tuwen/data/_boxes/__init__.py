"""Pictures of three boxes with things in them, and sentences that are true or false of them."""
