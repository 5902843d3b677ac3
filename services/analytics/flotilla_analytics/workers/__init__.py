"""What analytics does on its own: seal, fold, keep partitions."""
