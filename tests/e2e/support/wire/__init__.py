"""What is sent and received: clients, servers and requests, byte by byte."""
