"""What a test expects: answers, refusals, pages, and how it waits for them."""
