"""What people would pick instead, each as its users would write it: the same files in, the same events flagged."""
