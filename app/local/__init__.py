"""The local stack: PostgreSQL, Valkey, worker, beat and web as supervised children of one command."""
