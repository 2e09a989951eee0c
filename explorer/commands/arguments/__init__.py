"""Arguments that several verbs share: the model, the recipe, the conditions."""
