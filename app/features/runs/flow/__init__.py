"""How much a lane asks of its models at once, and how many chains it needs to keep them busy."""
