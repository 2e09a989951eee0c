"""What wins quality back without any training: norm statistics, biases, least squares."""
