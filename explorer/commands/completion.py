"""Complete commands in the shell: a script for bash, zsh or fish, which asks this program for the words that
fit.
"""

import argparse
from collections.abc import Iterable, Sequence

from ..machine import paths
from ..registry import ALLOCATORS, CRITERIA, EXPORTERS, Registry
from .main import command
from .printing.output import show
from .verbs import PROGRAM, VERBS

# destination of an option -> what its value names
NAMED: dict[str, Registry] = {"criterion": CRITERIA, "allocator": ALLOCATORS, "format": EXPORTERS}
ASK = f"{PROGRAM} completion --words"
SCRIPTS = {
    "bash": f"""_pruning_explorer() {{
    local IFS=$'\\n'
    COMPREPLY=( $({ASK} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null) )
}}
complete -o default -F _pruning_explorer {PROGRAM}""",
    "zsh": f"""#compdef {PROGRAM}
_pruning_explorer() {{
    local -a found
    found=("${{(@f)$({ASK} "${{(@)words[2,CURRENT]}}" 2>/dev/null)}}")
    [[ -n "$found" ]] && compadd -a found || _files
}}
compdef _pruning_explorer {PROGRAM}""",
    "fish": f"""complete -c {PROGRAM} -a '({ASK} (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell",
        nargs="?",
        choices=list(SCRIPTS),
        help="the shell; for bash, put this into ~/.bashrc: "
        f'eval "$({PROGRAM} completion bash)"; for zsh the same in ~/.zshrc; for fish: '
        f"{PROGRAM} completion fish | source",
    )
    parser.add_argument("--words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    """Print the script for a shell, or, when such a script asks, the words that may come next."""
    if arguments.words is not None:
        return show("\n".join(fitting(arguments.words)))
    return show(SCRIPTS[arguments.shell or "bash"])


def fitting(words: Sequence[str]) -> list[str]:
    """Return the words that the last word may become.

    Args:
        words: the words after the program's name. The last one is still being typed and may be empty.

    >>> fitting(["pru"]), fitting(["audit", "digits-c"]), fitting(["prune", "digits-cnn", "--dt"])
    (['prune'], ['digits-cnn'], ['--dtype'])
    """
    *before, begun = words or [""]
    verb = before[0] if before and before[0] in VERBS else None
    return [word for word in _possible(verb, before, begun) if word.startswith(begun)]


def _possible(verb: str | None, before: Sequence[str], begun: str) -> Iterable[str]:
    if not before:
        return [*VERBS, *_samples()]
    _, parser = command(verb)
    options = {text: action for action in parser._actions for text in action.option_strings}
    asked = options.get(before[-1])
    if asked is not None and asked.nargs != 0:
        return map(str, asked.choices) if asked.choices else NAMED.get(asked.dest, ())
    if begun.startswith("-"):
        return options
    free = [action for action in parser._actions if not action.option_strings]
    return [str(choice) for action in free for choice in action.choices or ()] or _samples()


def _samples() -> list[str]:
    """Return the names of the sample models without importing them."""
    return sorted(path.stem.replace("_", "-") for path in paths.sample_models().glob("[!_]*.py"))
