"""The verbs of the command line and what each does."""

PROGRAM = "pruning-explorer"


VERBS = {
    "models": "list the models, with what was measured for each",
    "criteria": "list the criteria, which rate weights and channels",
    "metrics": "list the metrics, which say how good a model is at its task",
    "allocators": "list the allocators, which choose the ratios of all parts",
    "profile": "list the layers and coupled groups of a model, and why some cannot be pruned",
    "prune": "prune a model and measure accuracy, size, compute and latency",
    "budget": "find the smallest model within an accuracy budget, by measuring",
    "plan": "spend a saving over blocks, channels and weights together, by measured losses",
    "search": "find the best trade-offs between accuracy and cost, with an optimiser over the ratios of all "
    "parts",
    "curve": "measure accuracy against size, from dense to the full strength of a recipe",
    "scan": "measure sensitivity: the accuracy as the ratio of one part at a time varies",
    "latency": "time the model at several widths of one group; latency falls in steps",
    "audit": "prove that the compact model computes what the masked one does",
    "recover": "prune a model and win accuracy back by training, with masks that hold",
    "recovery-table": "compare all recovery methods at several ratios, with equal training and fair controls",
    "study": "answer a question about pruning itself by measuring many recipes",
    "export": "write the pruned model, or its recipe, to a file",
    "convert": "turn a .pt file of weights into .safetensors, without running code from it",
    "bench": "measure how fast this program is here, as ratios to plain code",
    "lessons": "measure and judge the claims of the lessons",
    "class": "start the page for a class: lessons, and a board that all browsers share",
    "train-sample": "train a sample model again, as it was trained",
    "completion": "print a script that lets bash, zsh or fish complete these commands",
}


MODULES = {"class": "class_mode"}  # a verb whose name cannot be the name of a module
