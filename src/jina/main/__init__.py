"""What our child processes run: `front`, `worker`, `app`."""
