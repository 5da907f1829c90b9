"""What the measurements share: a PostgreSQL of their own, the programs, the figures."""
