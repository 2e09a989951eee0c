"""How quality, latency and size are measured, and how far the numbers can be trusted."""
