"""A text that the dense and the pruned model continue side by side, token by token."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.running import fixed_batch
from ..pruning.decision import calibrate
from ..values.progress import Step, Work, result_of
from ..values.recipe import Recipe
from ..values.subject import Subject
from ..values.text import TextForm
from .candidate import prepared
from .dense_model import dense_candidate

UNFINISHED = "\ufffd"  # how a decoder shows the first bytes of a character whose last ones are still to come


@dataclass(frozen=True)
class Prompt:
    """What is continued, and how.

    Args:
        text: the beginning.
        tokens: how many each model writes at most.
        temperature: 0 = always the most probable token; 1 = drawn with the model's own probabilities.
        seed: of the draws. Both models draw with the same random numbers, so where their probabilities agree
            they write the same.
    """

    text: str
    tokens: int = 64
    temperature: float = 0.7
    seed: int = 0


@dataclass(frozen=True)
class Passage:
    """What one of the two models wrote.

    Args:
        pieces: the text that each token adds.
        chances: the probability of each token, by the model that wrote it.
        others: the probability that the other model gives it after the same text.
    """

    pieces: tuple[str, ...] = ()
    chances: tuple[float, ...] = ()
    others: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def then(self, piece: str, chance: float, other: float) -> "Passage":
        return Passage((*self.pieces, piece), (*self.chances, chance), (*self.others, other))


@dataclass(frozen=True)
class Continuation:
    """A prompt with both continuations, as far as they are written."""

    prompt: Prompt
    dense: Passage
    pruned: Passage
    finished: bool = False


def writes(subject: Subject) -> bool:
    """Whether the model answers with the next token of a text, so that it can continue one."""
    return subject.text is not None and subject.text.answers == "next"


def continuation(model: Analysed, recipe: Recipe, prompt: Prompt, device: str = "cpu") -> Work[Continuation]:
    """Yield the continuation of a prompt, one token more at each step.

    The models read the last tokens of a text, as many as their example has, so no more memory is needed than
    for a measurement. A text that is shorter is filled up behind its end, which a causal model cannot see.

    Raises:
        ExplorerError: the model does not continue texts, or has no token for any of the prompt.
    """
    form, start = model.subject.text, _start(model.subject, prompt)
    assert form is not None
    if not recipe.is_empty:
        yield from calibrate(model, recipe, device)
    pruned = yield from result_of(prepared(model, recipe, device, share=True))
    networks = (dense_candidate(model, device).model, pruned.model)
    reader = _Reader(networks, model, device)
    pens = (_Pen(form, start), _Pen(form, start))
    for number in range(prompt.tokens):
        logs = reader.logs([pen.tokens for pen in pens])
        noise = _noise(prompt, number, logs.shape[-1])
        for side, pen in enumerate(pens):
            if not pen.ended:
                pen.write(_choice(logs[side, side], noise, prompt), logs[side, side], logs[1 - side, side])
        done = number + 1 == prompt.tokens or all(pen.ended for pen in pens)
        yield Step(Continuation(prompt, pens[0].writing, pens[1].writing, done))
        if done:
            return


def _start(subject: Subject, prompt: Prompt) -> list[int]:
    if subject.text is None or subject.text.answers != "next":
        raise ExplorerError(
            f"{subject.name} cannot continue a text; only models that answer with the next token can."
        )
    tokens = [*subject.text.start, *subject.text.encode(prompt.text)[0]]
    if not tokens:
        raise ExplorerError("There is nothing to continue; write at least one character.")
    return tokens


def _noise(prompt: Prompt, number: int, vocabulary: int) -> Tensor:
    """Return what is added to log-probabilities so that the largest sum is a fair draw (the Gumbel-max trick,
    Maddison et al. 2014, arXiv:1411.0030); (vocabulary,).
    """
    generator = torch.Generator().manual_seed(prompt.seed * 1_000_003 + number)
    drawn = torch.rand(vocabulary, generator=generator, dtype=torch.float64).clamp_(1e-12, 1 - 1e-12)
    return -(-drawn.log()).log()


def _choice(logs: Tensor, noise: Tensor, prompt: Prompt) -> int:
    """Return a token for the (vocabulary,) log-probabilities of the next one."""
    return int((logs if prompt.temperature == 0 else logs / prompt.temperature + noise).argmax())


class _Pen:
    """Writes one of the two texts."""

    def __init__(self, form: TextForm, start: Sequence[int]) -> None:
        self.form, self.tokens, self.ended = form, list(start), False
        self.known = form.decode(self.tokens)
        self.writing = Passage()

    def write(self, token: int, own: Tensor, other: Tensor) -> None:
        """Add a token; one with which documents start ends the text."""
        if token in self.form.start:
            self.ended = True
            return
        self.tokens.append(token)
        chances = float(own[token].exp()), float(other[token].exp())
        self.writing = self.writing.then(self._piece(token), *chances)

    def _piece(self, token: int) -> str:
        whole = self.form.decode(self.tokens)
        if whole.endswith(UNFINISHED):
            return ""
        piece = whole[len(self.known) :] if whole.startswith(self.known) else self.form.decode([token])
        self.known = whole
        return piece


class _Reader:
    """Reads texts with both models."""

    def __init__(self, networks: tuple[nn.Module, nn.Module], model: Analysed, device: str) -> None:
        self.networks, self.device = networks, device
        self.window = model.subject.example.shape[1]
        self.dtype = model.subject.example.dtype
        program = model.graph.program
        self.batch = fixed_batch(program) if program is not None else None

    def logs(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return the log-probabilities of the token after each text, (models, texts, vocabulary) float64."""
        ends = [list(text[-self.window :]) for text in texts]
        rows = torch.tensor([end + [0] * (self.window - len(end)) for end in ends], dtype=self.dtype)
        last = torch.tensor([len(end) - 1 for end in ends])
        each = self.batch or len(rows)
        parts = [
            torch.cat([part, part[-1:].expand(each - len(part), -1)]).to(self.device)
            for part in rows.split(each)
        ]
        with torch.inference_mode():
            answers = [
                torch.cat([network(part).cpu() for part in parts])[torch.arange(len(rows)), last]
                for network in self.networks
            ]
        return torch.stack([answer.double().log_softmax(-1) for answer in answers])
