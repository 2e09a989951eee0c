"""The verbs of the command line and what each does."""

PROGRAM = "pruning-explorer"


VERBS = {
    "models": "the models that there are, with what was measured of them",
    "criteria": "what can rate weights and channels",
    "metrics": "what can say how good a model is at its task",
    "allocators": "what can choose the ratios of all parts",
    "profile": "layers and coupled groups of a model, each frozen one with its reason",
    "prune": "prune a model and measure accuracy, size, compute and latency",
    "budget": "the smallest model within an accuracy budget, found by measuring",
    "search": "the best trade-offs between accuracy and cost, found by an optimiser over the ratios of all "
    "parts",
    "curve": "accuracy against size, from dense to the full strength of a recipe",
    "scan": "sensitivity: the accuracy as the ratio of one part at a time varies",
    "latency": "how fast this machine is as the channels of one group go: the steps of the staircase",
    "audit": "prove that the compact model computes what the masked one does",
    "recover": "prune a model and win accuracy back by training, with masks that hold",
    "recovery-table": "every way back at several ratios, trained alike, beside fair controls",
    "export": "write the pruned model, or its recipe, to a file",
    "convert": "turn a .pt file of weights into .safetensors, without running code from it",
    "bench": "how fast this machine is at all of this, as ratios to plain code beside it",
    "lessons": "the claims of the lessons, each measured and judged",
    "class": "start the page for a class: lessons, and a board that all browsers share",
    "train-sample": "train a sample model again, as it was trained",
    "completion": "print a script that lets bash, zsh or fish complete these commands",
}


MODULES = {"class": "class_mode"}  # where a verb is no name for a module
