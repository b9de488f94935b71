"""What places a Plan: running children, or files."""
