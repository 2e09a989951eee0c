"""The exported graph of a model: layers, labels, coupled groups, costs, drawing."""
