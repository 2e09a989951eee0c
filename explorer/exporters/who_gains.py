"""Says which runtimes gain from a pruned model, by what was removed."""

from ..values.recipe import Recipe

EVERYWHERE = (
    "Removed channels help everywhere: the result is an ordinary dense model with smaller layers, and "
    "torch, ONNX Runtime, TensorRT, OpenVINO, browsers and phones run it as any other."
)
TWO_OF_FOUR = (
    "The 2:4 pattern helps on NVIDIA GPUs from the Ampere generation on, in float16, bfloat16 or int8, with "
    "sparse kernels that you have to request (torch.sparse.to_sparse_semi_structured, TensorRT's sparse "
    "weights). Everywhere else it saves storage only."
)
OTHER_PATTERN = "No common runtime has kernels for the pattern {pattern}; so its zeros save storage only."
STORAGE_ONLY = (
    "Single weights at zero save storage only: the file is smaller once it is compressed, while dense "
    "kernels multiply the zeros "
    "like any other number, so neither time nor memory of a running model changes."
)
UNCHANGED = "Nothing is removed: this is the dense model."


def who_gains(recipe: Recipe) -> tuple[str, ...]:
    """Return one sentence for each kind of removal in the recipe.

    >>> who_gains(Recipe())
    ('Nothing is removed: this is the dense model.',)
    """
    found = [EVERYWHERE] if recipe.is_structured else []
    if recipe.weights:
        patterns = {"free": STORAGE_ONLY, "2:4": TWO_OF_FOUR}
        found.append(patterns.get(recipe.pattern, OTHER_PATTERN.format(pattern=recipe.pattern)))
    return tuple(found) or (UNCHANGED,)
