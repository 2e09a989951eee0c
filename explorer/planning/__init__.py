"""A wish -> a recipe: targets, budgets and plans by the clock."""
