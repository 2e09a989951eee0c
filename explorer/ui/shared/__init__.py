"""What all browser sessions of this server share: its settings, the models, the worker."""
