"""What is kept of runs: who performs them, what happened, what people have said."""
