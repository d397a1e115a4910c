"""What is kept: result directories."""
