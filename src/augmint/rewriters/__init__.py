"""Corrupt and rebuild with a pretrained model: masked, sequence-to-sequence and causal language models, endpoints.

Methods on samples. Each is handed its model (field ``lm``); none loads one.
"""

TABLE: dict[str, str] = {
    "lm-generate": "augmint.rewriters.lm_generate:LmGenerate",
    "span-infill": "augmint.rewriters.span_infill:SpanInfill",
    "masked-lm": "augmint.rewriters.masked_lm:MaskedWords",
    "ssmba": "augmint.rewriters.ssmba:Ssmba",
}
