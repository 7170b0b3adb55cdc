"""The heads that can name a digit."""

import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.presets import preset
from softstream.hw.errors import UserError
from softstream.scripts.demonstration.classifier import check_configuration


@pytest.mark.parametrize("name", ["digits-softmax", "digits-argmax", "argmax-int8", "softmax-int16", "hardmax-int8"])
def test_a_head_with_a_winner_of_ten_scores_is_accepted(name):
    check_configuration(preset(name))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"mode": "sigmoid"}, "mode = 'sigmoid'"),
        ({"mode": "top_k"}, "mode = 'top_k'"),
        ({"mode": "cdf"}, "mode = 'cdf'"),
        ({"mode": "log_softmax"}, "mode = 'log_softmax'"),
        ({"mask": True}, "mask"),
        ({"groups": [5], "max_length": 5}, "groups"),
        ({"ensemble": 3}, "ensemble"),
        ({"max_length": 9}, "max_length = 9"),
    ],
)
def test_another_head_is_refused(changes, key):
    with pytest.raises(UserError, match=rf"^{key}: .*; for example --preset digits-softmax$"):
        check_configuration(Config(**changes))
