"""What the integration tests stand on: processes, real and scripted servers, readers of answers. Standard library only."""
