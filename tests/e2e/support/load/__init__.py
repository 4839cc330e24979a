"""Many callers at once."""
