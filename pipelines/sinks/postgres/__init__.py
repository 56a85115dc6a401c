"""PostgreSQL: tables `scores` and `deliveries`, views for consumers, and a role that may read the views alone."""
