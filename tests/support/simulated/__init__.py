"""A simulated pair of MySQL servers that obeys the SQL and the bash scripts sent to its nodes."""
