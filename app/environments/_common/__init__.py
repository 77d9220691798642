"""What the environments share: cutting replies, checking programs, gold by execution, judging answers."""
