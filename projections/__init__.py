"""What was posted and what is true now, made into rows; pure, knows only the domain."""
