"""Arguments that several verbs take: the model, the recipe, the conditions."""
