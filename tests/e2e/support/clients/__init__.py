"""Client libraries, and the code of docs/callers.md that they run with."""
