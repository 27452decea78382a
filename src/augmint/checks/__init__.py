"""The laws of each protocol as plain functions, for our tests and for plug-in authors.

Each function takes ``make``, which builds a fresh instance of one configuration, and raises AssertionError with a
message that names the law that was broken::

    from augmint.checks import check_synthesizer
    check_synthesizer(lambda: MyMethod(strength=0.3))
"""

from augmint.checks.encoders import check_codec, check_encoder
from augmint.checks.gates import check_content_gate, check_row_gate, check_set_gate
from augmint.checks.laws import example_latents
from augmint.checks.rewriters import check_rewriter
from augmint.checks.students import check_student, example_training
from augmint.checks.synthesizers import check_synthesizer

__all__ = [
    "check_codec",
    "check_content_gate",
    "check_encoder",
    "check_rewriter",
    "check_row_gate",
    "check_set_gate",
    "check_student",
    "check_synthesizer",
    "example_latents",
    "example_training",
]
