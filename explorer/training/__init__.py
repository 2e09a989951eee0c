"""How the sample models are trained."""
