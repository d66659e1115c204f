"""A simulated pair of MySQL servers that executes the SQL and the bash scripts sent to its nodes."""
