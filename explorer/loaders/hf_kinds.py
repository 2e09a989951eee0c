"""What a configuration of transformers describes: pictures or text, and what the model answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import LoadError
from ..values.text import Answers

What = Literal["pictures", "text", "two texts", "sound and text"]
TWO_INPUTS: tuple[What, ...] = "two texts", "sound and text"


@dataclass(frozen=True)
class ModelKind:
    """A kind of model.

    Args:
        title: for sentences.
        auto: the class of transformers that loads it.
        mapping: the table of transformers with the names of its classes.
        reads: pictures, text, or an input for its encoder and a text for its decoder.
        answers: see `TextForm`.
        classes: it tells as many classes apart as its configuration says.
    """

    title: str
    auto: str
    mapping: str
    reads: What = "text"
    answers: Answers = "other"
    classes: bool = False


PICTURES = ModelKind(
    "image classifier",
    "AutoModelForImageClassification",
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "pictures",
    classes=True,
)
KINDS = (
    PICTURES,
    ModelKind(
        "causal language model", "AutoModelForCausalLM", "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", answers="next"
    ),
    ModelKind(
        "masked language model", "AutoModelForMaskedLM", "MODEL_FOR_MASKED_LM_MAPPING_NAMES", answers="masked"
    ),
    ModelKind(
        "text classifier",
        "AutoModelForSequenceClassification",
        "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
        classes=True,
    ),
    ModelKind(
        "token classifier",
        "AutoModelForTokenClassification",
        "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
        classes=True,
    ),
    ModelKind(
        "model that reads a text and writes another",
        "AutoModelForSeq2SeqLM",
        "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
        "two texts",
    ),
    ModelKind(
        "model that hears and writes",
        "AutoModelForSpeechSeq2Seq",
        "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES",
        "sound and text",
    ),
    ModelKind("text encoder", "AutoModelForTextEncoding", "MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES"),
    ModelKind("encoder", "AutoModel", "MODEL_MAPPING_NAMES"),
)
TAKEN = (
    "an image classifier, a causal or masked language model, a model with an encoder and a decoder, "
    "a text or token classifier or a text encoder"
)


def kind_of(transformers: Any, config: Any) -> ModelKind:
    """Return the kind that the first architecture of a configuration names; an image classifier if it names
    none that is known.

    Raises:
        LoadError: a model with an encoder and a decoder that writes something other than text.
    """
    tables = transformers.models.auto.modeling_auto
    named = (getattr(config, "architectures", None) or [""])[0]
    is_pair = bool(getattr(config, "is_encoder_decoder", False))
    for kind in KINDS:
        known: Mapping[str, Any] = getattr(tables, kind.mapping)
        classes = known.get(config.model_type, ())
        fits = is_pair or kind.reads not in TWO_INPUTS
        if fits and named in ((classes,) if isinstance(classes, str) else classes):
            return kind
    if named and is_pair:
        raise LoadError(
            f"{named[:80]!r} has an encoder and a decoder but does not write text, so it is not read from a "
            "folder; save its encoder alone, such as T5EncoderModel, or name a Python file with it."
        )
    return PICTURES


def unread_words(names: Sequence[str]) -> str:
    """Return a sentence about tensors that a folder has and its model does not read, "" if there are none.

    >>> unread_words(["head.bias", "head.weight"])
    " Its files also hold 2 tensors that this model does not read, such as 'head.bias'."
    """
    if not names:
        return ""
    if len(names) == 1:
        return f" Its files also hold {names[0][:80]!r}, which this model does not read."
    many = f"{len(names):,} tensors that this model does not read"
    return f" Its files also hold {many}, such as {names[0][:80]!r}."
