"""Shows what a model's weights and channels look like; nothing here measures accuracy."""
