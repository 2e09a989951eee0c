"""What a configuration of transformers describes: pictures or text, and what the model answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import LoadError
from ..values.text import Answers

What = Literal["pictures", "text"]


@dataclass(frozen=True)
class ModelKind:
    """A kind of model.

    Args:
        title: for sentences.
        auto: the class of transformers that loads it.
        mapping: the table of transformers with the names of its classes.
        reads: pictures or text.
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
    ModelKind("text encoder", "AutoModelForTextEncoding", "MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES"),
    ModelKind("encoder", "AutoModel", "MODEL_MAPPING_NAMES"),
)
TAKEN = "an image classifier, a causal or masked language model, a text or token classifier or a text encoder"


def kind_of(transformers: Any, config: Any) -> ModelKind:
    """Return the kind that the first architecture of a configuration names; an image classifier if it names
    none that is known.

    Raises:
        LoadError: a model that reads one text or sound and writes another.
    """
    tables = transformers.models.auto.modeling_auto
    named = (getattr(config, "architectures", None) or [""])[0]
    for kind in KINDS:
        known: Mapping[str, Any] = getattr(tables, kind.mapping)
        classes = known.get(config.model_type, ())
        if named in ((classes,) if isinstance(classes, str) else classes):
            return kind
    if named and getattr(config, "is_encoder_decoder", False):
        raise LoadError(
            f"{named[:80]!r} has an encoder and a decoder, each with an input of its own, and is not read "
            "from a folder; save its encoder alone, such as T5EncoderModel, or name a Python file with it."
        )
    return PICTURES
