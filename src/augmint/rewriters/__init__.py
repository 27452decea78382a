"""Corrupt and rebuild with a pretrained model: masked, sequence-to-sequence and causal language models, endpoints.

Methods on samples. Each is handed its model (field ``lm``); none loads one.
"""

TABLE: dict[str, str] = {
    "span-infill": "augmint.rewriters.span_infill:SpanInfill",
}
