"""One name and one unit for each quantity on screen, and one plain sentence for each word of the trade."""

LABELS = {
    "accuracy": "Accuracy",
    "accuracy_high": "Accuracy, upper end",
    "accuracy_low": "Accuracy, lower end",
    "achieved": "Removed (achieved)",
    "channel": "Channel",
    "correct": "Correct samples",
    "created": "Measured at",
    "criterion": "Criterion",
    "deflate_bytes": "Compressed size (bytes)",
    "dense": "Dense model",
    "dense_bytes": "Dense size (bytes)",
    "density": "Density (fraction kept)",
    "drop": "Accuracy lost",
    "drop_high": "Accuracy lost, upper end",
    "drop_low": "Accuracy lost, lower end",
    "exact_high": "On all samples, upper end",
    "exact_low": "On all samples, lower end",
    "finding": "In the family of this scan",
    "frozen": "Why it cannot be pruned",
    "granularity": "What is removed as one",
    "group": "Coupled group",
    "importance": "Importance",
    "kind": "Kind",
    "latency": "Latency (ms a batch)",
    "latency_ms": "Latency (ms a batch)",
    "layer": "Layer",
    "loss": "Cross-entropy loss (nats)",
    "macs": "MACs per sample",
    "magnitude": "Weight magnitude |w|",
    "members": "Layers",
    "model": "Model",
    "name": "Name",
    "nonzero_params": "Non-zero parameters",
    "note": "Note",
    "p_holm": "p-value in that family",
    "params": "Parameters",
    "parent": "Made from run",
    "prunable": "Weights can be pruned",
    "predicted_loss_change": "Change of the loss, predicted to first order (nats)",
    "pruned": "Pruned model",
    "pruned_macs": "MACs per sample, pruned",
    "pruned_params": "Parameters, pruned",
    "recovery": "Done after the cut",
    "pruned_shape": "Weight shape, pruned",
    "quantity": "Quantity",
    "ratio": "Pruning ratio (fraction removed)",
    "reason": "Why they differ",
    "removed": "Units removed",
    "requested": "Removed (requested)",
    "run": "Run",
    "samples": "Samples",
    "shape": "Weight shape",
    "size": "Size (bytes)",
    "size_bytes": "Size (bytes)",
    "sparsity": "Sparsity (fraction of zeros)",
    "split": "Data split",
    "tags": "Tags",
    "task": "Data",
    "tied_by": "Why they go together",
    "unit": "Unit",
    "units": "Units",
    "verdict": "Verdict",
    "weight": "Weights",
}

GLOSSARY = {
    "allocator": "A rule that turns one overall target into a ratio for every part, layer by layer or by "
    "ranking across layers.",
    "batch norm": "A layer that shifts and scales each channel by a mean and a spread, which it remembers "
    "from training.",
    "calibration": "Passes over some data that only collect statistics; nothing is trained.",
    "channel": "One of the pictures, side by side, that a layer makes and the next one reads; in a plain "
    "network one neuron.",
    "compact": "To rebuild the model without the removed channels; only this makes a dense model smaller and "
    "faster.",
    "compression ratio": "Parameters before, divided by parameters after.",
    "control": "The same experiment without the thing that is tested, so that one sees what that thing alone "
    "does.",
    "convolution": "A layer that slides small windows of weights over its input; each window makes one "
    "channel.",
    "coupled group": "Channels that have to go together, because layers add, normalise or read them side by "
    "side.",
    "criterion": "A function that rates how much each weight or channel matters.",
    "dense model": "The model as it was before anything was removed.",
    "density": "The measured fraction of values that are not zero: 1 minus sparsity.",
    "depthwise layer": "A convolution in which each channel reads one channel only, so that it holds very "
    "few weights.",
    "epoch": "One pass of training over all training pictures.",
    "final number": "Measured on the compact model, on all samples that were asked for.",
    "fine-tuning": "Training the pruned model further while everything removed stays removed.",
    "granularity": "What is removed as one: single weights, whole channels or heads, or n:m blocks.",
    "held-out data": "Pictures that are used neither for training nor for choosing; they are opened once, at "
    "the end.",
    "importance": "The value by which a unit is ranked: its saliencies put together.",
    "interval": "The range in which the true value lies with so much confidence, such as 95 %; more pictures "
    "make it narrower.",
    "iterative pruning": "Reaching the ratio in two or more steps, with recovery after each.",
    "kernel": "The small program with which a computer runs one layer; an ordinary one multiplies zeros like "
    "other numbers.",
    "latency": "How long the model takes to answer, measured with a clock on this machine.",
    "layer norm": "A layer that shifts and scales by mean and spread of its present input; it remembers "
    "neither.",
    "learning rate": "How large the steps of training are.",
    "live number": "Measured on some of the samples, or on a stand-in of the compact model, until the final "
    "number replaces it.",
    "MACs": "Multiply-and-add operations for one sample; FLOPs are twice as many.",
    "mask": "A yes or no for each weight or channel; yes means kept.",
    "measured speed-up": "Latency before, divided by latency after, both measured on this machine.",
    "norm": "A layer that shifts and scales its input to a common size, such as batch norm or layer norm.",
    "one-shot pruning": "Reaching the ratio in a single step.",
    "part": "What has one ratio of its own: a layer for weights, a coupled group for channels.",
    "penalty": "Something that is added to the loss while training, here a price on the size of the weights.",
    "pruning ratio": "The fraction of a part's units to remove, a decision; two neighbouring layers that "
    "lose half of "
    "their channels lose about three quarters of the weights between them.",
    "reliability": "How well the predicted probabilities agree with how often the model is right (ECE).",
    "residual network": "A network in which the input of some layers is added to their output, so that both "
    "need the "
    "same channels.",
    "rewinding": "Setting the kept weights, or the learning rate, back to an earlier point of training, then "
    "training again.",
    "saliency": "What a criterion gives to one weight or channel.",
    "schedule": "How something grows or falls over a training, such as the share of weights that is removed.",
    "seed": "The number from which a random choice is made; another seed is another throw of the dice.",
    "sensitivity": "Accuracy while the ratio of one part varies and all others stay as they are, without any "
    "recovery.",
    "sparsity": "The measured fraction of values that are zero.",
    "theoretical speed-up": "MACs before, divided by MACs after; a clock may say something else.",
    "transformer": "A network whose layers let each piece of the input look at all others (attention) and "
    "use layer norms.",
    "tuning split": "The pictures on which recipes are tried; the network was not trained on them.",
    "unit": "What is ranked and removed as one: a weight, a channel, a whole attention head.",
}
