"""Published architectures, one of each kind and with random weights: pruned, proven, and as small as counted
elsewhere.

The numbers of parameters at ratio 0.5 are those that Torch-Pruning 1.6.1 leaves (l1, classifier spared); it
does not know how to shuffle channels or to cut the transformers here, so theirs are our own, to be noticed
when they change.
"""

from importlib.util import find_spec

import pytest

from explorer.audit.audit import audit
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load

LEFT = {
    "torchvision:resnet18": 3_055_880,
    "torchvision:mobilenet_v3_small": 911_224,
    "torchvision:squeezenet1_0": 445_128,
    "torchvision:googlenet": 1_918_968,
    "torchvision:regnet_x_400mf": 1_484_424,
    "torchvision:shufflenet_v2_x1_0": 891_452,
    "torchvision:swin_t": 7_281_564,
    "timm:eva02_tiny_patch14_224": None,
    "timm:nfnet_l0": None,
}


ALWAYS = "torchvision:mobilenet_v3_small", "torchvision:squeezenet1_0", "torchvision:shufflenet_v2_x1_0"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.heavy) for name in LEFT]
)
def test_a_family_is_shrunk_and_proven(name):
    if find_spec(name.split(":")[0]) is None:
        pytest.skip("a package of the extra 'zoo' is not installed")
    subject = load(name)
    found = audit(analyse(subject), ratio=0.5)
    assert found.verified, found.reason
    assert found.max_rel_diff < 1e-8 and found.negative_control > 1e-4
    assert LEFT[name] in (None, found.params_after) and found.params_after < 0.5 * found.params_before
